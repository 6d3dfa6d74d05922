//! Cards about the commands themselves: help, a text that is not understood, a command that is not allowed.

use super::command::ParseError;
use super::table::COMMANDS;
use crate::app::{Refusal, steps};
use crate::bot::handlers::Handlers;
use crate::bot::roles::Allowed;
use crate::cards::text::clip;
use crate::cards::{Card, CardContext, HelpRow, HelpView, Tone};
use crate::domain::{Needs, OpenId, Role};
use crate::store::{Source, StoreError, View};

impl Handlers {
    /// The help card: the commands that `role` may use. Names an unknown command and the one that was probably meant,
    /// and puts a notice on top.
    pub(in crate::bot) fn help(
        &self,
        role: Role,
        unknown: Option<&str>,
        nearest: Option<&str>,
        notice: Option<(Tone, String)>,
    ) -> Card {
        let view = self.help_view(role, unknown, nearest);
        self.help_card(role, &view, notice)
    }

    /// The answer to `/help`: the help card, for administrators with what is left of the first steps, and in a group that
    /// alerts could be sent to with an offer of that.
    pub(super) fn help_asked<S: Source>(
        &self,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, StoreError> {
        let may_change = ctx.role.may_change();
        let offers_alerts = may_change && ctx.in_group && self.settings(tx)?.alert_chat.is_none();
        let steps = match may_change {
            true => Some(steps::view(tx)?).filter(|steps| steps.next().is_some()),
            false => None,
        };
        let view = HelpView { offers_alerts, steps, ..self.help_view(ctx.role, None, None) };
        Ok(self.help_card(ctx.role, &view, None))
    }

    /// The help card in a group that alerts could be sent to, with a notice on top. It offers that.
    pub(in crate::bot) fn help_for_group(
        &self,
        role: Role,
        notice: Option<(Tone, String)>,
    ) -> Card {
        let view = HelpView { offers_alerts: true, ..self.help_view(role, None, None) };
        self.help_card(role, &view, notice)
    }

    fn help_view(&self, role: Role, unknown: Option<&str>, nearest: Option<&str>) -> HelpView {
        let words = self.cards.words();
        let rows = COMMANDS
            .iter()
            .filter(|spec| role.meets(spec.needs))
            .map(|spec| HelpRow {
                usage: spec.usage(words),
                alias: spec.aliases.join(" "),
                about: words.t(spec.about, &[]),
                admin_only: spec.needs == Needs::Admin,
                command: format!("/{}", spec.name),
            })
            .collect();
        HelpView {
            rows,
            unknown: unknown.map(str::to_owned),
            nearest: nearest.map(|name| format!("/{name}")),
            offers_alerts: false,
            steps: None,
        }
    }

    fn help_card(&self, role: Role, view: &HelpView, notice: Option<(Tone, String)>) -> Card {
        let ctx = CardContext::new(role, self.clock.now());
        let ctx = match notice {
            Some((tone, text)) => ctx.with_banner(tone, text),
            None => ctx,
        };
        self.cards.help(view, &ctx)
    }

    /// The card for a text that is not a command, or for a command with wrong arguments.
    pub(super) fn not_understood(&self, error: &ParseError, allowed: Allowed) -> Card {
        let words = self.cards.words();
        let role = allowed.role();
        let text = match error {
            ParseError::Empty => return self.help(role, None, None, None),
            ParseError::Unknown { typed, nearest, .. } => {
                // Do not suggest a command that the person may not use.
                let usable = nearest.filter(|name| {
                    let spec = COMMANDS.iter().find(|spec| spec.name == *name);
                    spec.is_some_and(|spec| role.meets(spec.needs))
                });
                return self.help(role, Some(typed), usable, None);
            }
            ParseError::MissingArgument { command } => {
                words.t("command.missing_argument", &[("usage", &command.usage(words))])
            }
            ParseError::UnexpectedArgument { command, argument } => words.t(
                "command.surplus_argument",
                &[("argument", &clip(argument, 40)), ("usage", &command.usage(words))],
            ),
            ParseError::UnexpectedMention { command } => {
                words.t("command.surplus_mention", &[("usage", &command.usage(words))])
            }
            ParseError::BadAmount(error) => words.refusal(&Refusal::BadAmount(*error)),
            ParseError::BadPeriod(text) => words.refusal(&Refusal::BadPeriod(text.clone())),
        };
        self.cards.message(Tone::Error, &words.t("refused.title", &[]), &text)
    }

    /// The card for somebody whose role does not allow a command. It shows the person's id, which the administrator of a
    /// new installation has to put into the configuration.
    pub(super) fn denied_card(&self, sender: &OpenId) -> Card {
        let words = self.cards.words();
        let text = words.t("denied.text", &[("open_id", sender)]);
        self.cards.message(Tone::Error, &words.t("denied.title", &[]), &text)
    }
}
