//! Whether a disk has no room left: asked of an error, and of the disk itself where a child program failed on it.

use std::error::Error;
use std::io;
use std::path::Path;

/// With less room than this the failure of a program proves nothing about its input.
const ROOM_BYTES: u64 = 1 << 20;

/// Whether a full disk, or a used up quota, is anywhere among the causes of `error`.
pub(crate) fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if is_full_kind(error.kind()) {
                return true;
            }
            // `source` of an I/O error skips the error that it was made from.
            if error.get_ref().is_some_and(|inner| is_full(inner)) {
                return true;
            }
        }
        next = error.source();
    }
    false
}

fn is_full_kind(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Returns what a program would have met that wrote below `dir`, when there is hardly any room left.
pub(crate) fn full_at(dir: &Path) -> Option<io::Error> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    let no_room = disk.f_bavail.saturating_mul(disk.f_frsize) < ROOM_BYTES;
    // Some file systems do not count their files.
    let no_files = disk.f_files > 0 && disk.f_favail == 0;
    (no_room || no_files).then(|| io::ErrorKind::StorageFull.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::UnpackError;

    #[test]
    fn a_full_disk_is_found_however_deep_it_lies() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let bare: io::Error = kind.into();
            assert!(is_full(&bare));
            let wrapped = UnpackError::Io(io::Error::other(UnpackError::Io(kind.into())));
            assert!(is_full(&wrapped));
        }
    }

    #[test]
    fn other_troubles_are_no_full_disk() {
        assert!(!is_full(&io::Error::other("No space left on device")));
        assert!(!is_full(&UnpackError::Io(io::ErrorKind::PermissionDenied.into())));
    }

    #[test]
    fn a_disk_with_room_is_not_full() {
        assert!(full_at(Path::new("/proc/self")).is_some(), "procfs has no room");
        assert!(full_at(&std::env::temp_dir()).is_none());
        assert!(full_at(Path::new("/nonexistent")).is_none());
    }
}
