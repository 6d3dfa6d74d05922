//! What the platform has been seen to do, or may do, where its documents say otherwise or nothing. Off by default.

/// How a checker that is not ticked is submitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unticked {
    /// As `false`.
    #[default]
    False,
    /// Not at all.
    Missing,
    /// As an empty text.
    Empty,
}

/// The switches, for [`super::FakeFeishu::set_quirks`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// The history shows cards flattened and without their title, whatever `card_msg_content_type` asks for.
    pub history_hides_titles: bool,
    /// Custom bots answer a success with `StatusCode` and `StatusMessage` alone.
    pub hooks_answer_in_old_form: bool,
    /// A submitted form comes without the value of its button.
    pub submits_lack_value: bool,
    /// The client submits a form with a checker that has no behaviors; it refuses it (200340) otherwise.
    pub bare_checkers_submit: bool,
    /// What a submitted form holds for a checker that is not ticked.
    pub unticked: Unticked,
    /// A submitted form lacks the fields that are empty.
    pub empty_fields_are_left_out: bool,
    /// The ids of a click's operator are one level deeper, in `operator.user_id`.
    pub operators_are_nested: bool,
    /// Clicks come over the long connection in frames of the type `card`.
    pub clicks_are_card_frames: bool,
    /// Events do not say which tenant the app belongs to.
    pub envelopes_lack_tenant: bool,
    /// The value of a component comes as JSON text.
    pub values_are_text: bool,
}
