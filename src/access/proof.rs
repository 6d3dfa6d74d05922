//! Proof of a cut: for two days, the usage of the user's own projects is read (docs/platforms/ark.md §C.2). What still
//! spends is alerted once. What is not understood proves nothing.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::Enforcer;
use crate::app::access::{Tie, linked_projects};
use crate::app::cloud::CloudError;
use crate::domain::period::beijing;
use crate::domain::{
    AlertBody, Problem, ProjectName, Proof, ProofState, Spender, UserKey, UserStatus, beijing_day,
};
use crate::store::StoreError;
use crate::volcengine::UsageRow;

/// How long usage is watched.
const WATCHED: SignedDuration = SignedDuration::from_hours(48);
/// Requests that run while access is cut end within this time.
const SLACK: SignedDuration = SignedDuration::from_hours(1);
/// How late usage is seen at most (docs/platforms/ark.md §C.1).
const DELAY: SignedDuration = SignedDuration::from_mins(30);

impl Enforcer {
    /// Reads the usage of the own projects of users whose access was cut within two days, longest unread first. Those for
    /// whom no time is left before `deadline` come in the next cycle; the first one is always read.
    pub(super) async fn prove(&self, deadline: Instant) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let (watched, ahead) = self
            .parts
            .store
            .reading(move |tx| {
                let (mut watched, mut ahead) = (Vec::new(), Vec::new());
                for (key, proof) in tx.all_access_proofs()? {
                    if proof.cut > now {
                        ahead.push(key);
                        continue;
                    }
                    let known = tx.directory().get(&key).map(|user| user.status);
                    let disabled = known == Some(UserStatus::Disabled);
                    let account = tx.account(&key.account)?;
                    let active = account.is_some_and(|account| account.active.is_on());
                    let is_over = now.duration_since(proof.cut) >= WATCHED;
                    // Before that, no row can count.
                    let is_early = now < first_hour(proof.cut);
                    if disabled && active && !is_over && !is_early {
                        // In a project that others are linked to by now, their calls go on.
                        let own = linked_projects(tx, &key)?;
                        let own = own.iter().filter(|project| project.tie == Tie::Own);
                        let own: Vec<_> = own.map(|project| &project.name).collect();
                        let mut proof = proof;
                        proof.projects.retain(|project| own.contains(&project));
                        if !proof.projects.is_empty() {
                            watched.push((key, proof));
                        }
                    }
                }
                watched.sort_by_key(|(_, proof)| proof.read_at);
                Ok::<_, StoreError>((watched, ahead))
            })
            .await?;
        if !ahead.is_empty() {
            self.date_again(ahead, now).await?;
        }
        for (n, (key, proof)) in watched.into_iter().enumerate() {
            if n > 0 && Instant::now() > deadline {
                break;
            }
            let state = match self.spenders(&key, &proof).await {
                Ok(spenders) => Ok(spenders),
                Err(CloudError::Store(error)) => return Err(error),
                Err(error) => {
                    tracing::warn!(user = %key, %error, "the usage after a cut cannot be read");
                    Err(self.parts.cards.words().trouble(&error.into()))
                }
            };
            self.note_proof(key, proof, state).await?;
        }
        Ok(())
    }

    /// Watches what was cut while the clock was ahead as if it had been cut `now`: by its date, nothing would count for as
    /// long as the clock was ahead.
    async fn date_again(&self, cuts: Vec<UserKey>, now: Timestamp) -> Result<(), StoreError> {
        self.parts
            .store
            .writing(move |tx| {
                for key in cuts {
                    if let Some(proof) = tx.access_proof(&key)?.filter(|proof| proof.cut > now) {
                        tx.put_access_proof(&key, &Proof { cut: now, ..proof })?;
                    }
                }
                Ok(())
            })
            .await
    }

    async fn spenders(&self, key: &UserKey, proof: &Proof) -> Result<Vec<Spender>, CloudError> {
        let api = self.parts.cloud.account(&key.account).await?;
        let (from, to) = (beijing_day(proof.cut), beijing_day(self.parts.clock.now()));
        let mut spenders = Vec::new();
        for project in &proof.projects {
            for row in api.inference_usage(project, from, to, true).await? {
                if row.spends() && began(&row).is_none_or(|at| at >= first_hour(proof.cut)) {
                    let spender = spender(project, row);
                    if !spenders.contains(&spender) {
                        spenders.push(spender);
                    }
                }
            }
        }
        Ok(spenders)
    }

    async fn note_proof(
        &self,
        key: UserKey,
        read: Proof,
        found: Result<Vec<Spender>, String>,
    ) -> Result<(), StoreError> {
        let (alerts, now) = (self.parts.alerts.clone(), self.parts.clock.now());
        self.parts
            .store
            .writing(move |tx| {
                let Some(mut proof) = tx.access_proof(&key)? else { return Ok(()) };
                if proof.cut != read.cut {
                    return Ok(());
                }
                proof.read_at = Some(now);
                proof.state = match found {
                    Err(reason) => ProofState::Unproven { reason },
                    Ok(found) if found.is_empty() => match known_until(proof.cut, now) {
                        Some(until) => ProofState::Nothing { until },
                        None => ProofState::Waiting,
                    },
                    Ok(found) => {
                        for spender in found {
                            if proof.spenders.contains(&spender) {
                                continue;
                            }
                            proof.spenders.push(spender.clone());
                            let problem = Problem::StillSpending { spender };
                            alerts.raise(tx, Some(&key), AlertBody::Error { problem }, now)?;
                        }
                        ProofState::Spending
                    }
                };
                tx.put_access_proof(&key, &proof)
            })
            .await?;
        self.parts.wakers.outbox.notify_one();
        Ok(())
    }
}

fn spender(project: &ProjectName, row: UsageRow) -> Spender {
    Spender { project: project.clone(), endpoint: row.endpoint, key: row.key }
}

/// Returns the first whole hour after the slack. Beijing's hours are whole hours of UTC.
fn first_hour(cut: Timestamp) -> Timestamp {
    const HOUR: i64 = 3600;
    let end = cut.checked_add(SLACK).unwrap_or(cut).as_second();
    let hours = end.div_euclid(HOUR) + i64::from(end.rem_euclid(HOUR) > 0);
    Timestamp::from_second(hours.saturating_mul(HOUR)).unwrap_or(cut)
}

/// Returns until when the usage after a cut is known at `now`; `None` while that does not include a whole hour that counts.
fn known_until(cut: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let until = now.checked_sub(DELAY).ok()?;
    let first = first_hour(cut).checked_add(SignedDuration::from_hours(1)).ok()?;
    (until >= first).then_some(until)
}

/// Returns when the hour of a row began.
fn began(row: &UsageRow) -> Option<Timestamp> {
    let hour = i8::try_from(row.hour?).ok()?;
    let at = row.day.at(hour, 0, 0, 0).to_zoned(beijing()).ok()?;
    Some(at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hour_that_counts_begins_an_hour_after_the_cut() {
        for (cut, first) in [
            ("2026-11-01T10:00:00Z", "2026-11-01T11:00:00Z"),
            ("2026-11-01T10:00:01Z", "2026-11-01T12:00:00Z"),
            ("2026-11-01T10:59:59Z", "2026-11-01T12:00:00Z"),
        ] {
            let (cut, first): (Timestamp, Timestamp) =
                (cut.parse().unwrap(), first.parse().unwrap());
            assert_eq!(first_hour(cut), first);
        }
    }

    #[test]
    fn nothing_is_proven_before_a_whole_hour_is_known() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (now, until) in [
            ("2026-11-01T10:05:00Z", None),
            ("2026-11-01T11:59:00Z", None),
            // The hour from 11 to 12 is over, and may still be incomplete.
            ("2026-11-01T12:29:59Z", None),
            ("2026-11-01T12:30:00Z", Some("2026-11-01T12:00:00Z")),
            ("2026-11-02T08:00:00Z", Some("2026-11-02T07:30:00Z")),
        ] {
            assert_eq!(known_until(at("2026-11-01T10:00:00Z"), at(now)), until.map(at), "{now}");
        }
    }
}
