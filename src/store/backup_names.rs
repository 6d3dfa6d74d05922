//! The names of backups: what they are called, which of them are a store's own, and which are to be removed.

use std::path::Path;

use jiff::Timestamp;

/// The end of every backup's name.
pub const BACKUP_ENDING: &str = ".redb";

/// `20261123T020000.123Z`: a digit at each `0`. Sorts by time.
const STAMP: &str = "00000000T000000.000Z";

/// Names the backups of one store: the name of its file, the time (UTC), `.redb`.
#[derive(Clone, Debug)]
pub struct BackupNames {
    stem: String,
}

impl BackupNames {
    /// Names the backups of the store at `store` as files.
    pub fn new(store: &Path) -> Self {
        let stem = store.file_stem().map_or("airgate".into(), |stem| stem.to_string_lossy());
        Self { stem: stem.into_owned() }
    }

    /// Names them as objects in a bucket, where other characters than letters, digits, `-`, `_` and `.` can be written in more
    /// than one way: they become `_`.
    pub fn in_bucket(store: &Path) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let stem = Self::new(store).stem;
        Self { stem: stem.chars().map(|c| if plain(c) { c } else { '_' }).collect() }
    }

    /// Returns the name of the store.
    pub(super) fn stem(&self) -> &str {
        &self.stem
    }

    /// Returns the name of a backup made at `at`.
    pub fn name(&self, at: Timestamp) -> String {
        let stamp = at.strftime("%Y%m%dT%H%M%S%.3fZ");
        format!("{}-{stamp}{BACKUP_ENDING}", self.stem)
    }

    /// Returns when a backup was made, by its name; `None` if it is not the name of a backup of this store.
    pub fn time_of(&self, name: &str) -> Option<Timestamp> {
        let stamp =
            name.strip_prefix(&self.stem)?.strip_prefix('-')?.strip_suffix(BACKUP_ENDING)?;
        let is_stamp = stamp.len() == STAMP.len()
            && stamp.bytes().zip(STAMP.bytes()).all(|(byte, shape)| match shape {
                b'0' => byte.is_ascii_digit(),
                mark => byte == mark,
            });
        is_stamp.then(|| stamp.parse().ok())?
    }

    /// Returns the newest of these names with its time, not counting what was made after `now`: such a name comes from a clock that
    /// was wrong.
    pub fn newest<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
        now: Timestamp,
    ) -> Option<(Timestamp, &'a str)> {
        let own = names.into_iter().filter_map(|name| Some((self.time_of(name)?, name)));
        own.filter(|(at, _)| *at <= now).max()
    }

    /// Returns those of these names that are to be removed so that the newest `keep`, at least one, are left. Names that are not of
    /// this store's backups are never among them; those from the future go first.
    pub fn surplus(
        &self,
        names: impl IntoIterator<Item = String>,
        keep: usize,
        now: Timestamp,
    ) -> Vec<String> {
        let own = names.into_iter().filter_map(|name| Some((self.time_of(&name)?, name)));
        let mut own: Vec<(Timestamp, String)> = own.collect();
        // Newest first. One from the future was made before this one, by a clock that was wrong.
        own.sort_unstable_by(|(a, _), (b, _)| (*a > now, b).cmp(&(*b > now, a)));
        own.into_iter().skip(keep.max(1)).map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_the_store_s_own_backups_are_recognised() {
        let names = BackupNames::new(Path::new("/x/airgate.redb"));
        let at: Timestamp = "2026-11-23T02:00:00.5Z".parse().unwrap();
        assert_eq!(names.name(at), "airgate-20261123T020000.500Z.redb");
        assert_eq!(names.time_of("airgate-20261123T020000.500Z.redb"), Some(at));
        for other in [
            "airgate.redb",
            "airgate-20261123T020000Z.redb",
            "airgate-20261123T020000.500Z.redb.old",
            "airgate-20261323T020000.500Z.redb",
            "airgate-before-20261123T020000.500Z.redb",
            "other-20261123T020000.500Z.redb",
        ] {
            assert_eq!(names.time_of(other), None, "{other}");
        }
        let odd = BackupNames::in_bucket(Path::new("/x/气 gate%2F.redb"));
        assert_eq!(odd.name(at), "__gate_2F-20261123T020000.500Z.redb");
    }

    #[test]
    fn the_newest_are_left_and_those_from_the_future_go_first() {
        let names = BackupNames::new(Path::new("a.redb"));
        let name = |day: u8| format!("a-202611{day:02}T000000.000Z.redb");
        let now: Timestamp = "2026-11-20T00:00:00Z".parse().unwrap();
        let all = [name(18), name(25), name(19), "mine".to_owned(), name(20), name(17)];
        assert_eq!(names.newest(all.iter().map(String::as_str), now).unwrap().1, name(20));
        assert_eq!(names.surplus(all.clone(), 2, now), [name(18), name(17), name(25)]);
        assert_eq!(names.surplus(all.clone(), 0, now).len(), 4, "one is always kept");
        assert!(names.surplus(all, 5, now).is_empty());
        assert_eq!(names.newest(["mine"], now), None);
    }
}
