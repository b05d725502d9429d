//! Runs on disks that fail and rot.
