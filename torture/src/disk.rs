//! A file system in a file, whose power can be cut: what the kernel had not yet written to the
//! "disk" is lost, and the next mount finds an unclean ext4.
//!
//! What was written and not made safe may survive a cut or not; that the disk itself lies about
//! what is safe is not shown.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{TortureError, hub::Hub};

/// The size that the file system believes in; the file is sparse.
const SIZE: &str = "4G";
/// How often a copy is tried until nothing was written meanwhile.
const COPIES_MAX: usize = 200;

/// See the module. It is unmounted when dropped.
pub(crate) struct Disk {
    image: PathBuf,
    mount: PathBuf,
    is_mounted: bool,
}

impl Disk {
    /// Makes and mounts one below `folder`.
    pub(crate) fn make(folder: &Path) -> Result<Self, TortureError> {
        let mut disk = Self {
            image: folder.join("disk.img"),
            mount: folder.join("disk"),
            is_mounted: false,
        };
        fs::create_dir(&disk.mount).map_err(TortureError::system("make a mount point"))?;
        run(Command::new("truncate").args(["-s", SIZE]).arg(&disk.image))?;
        // Nothing is left to be initialised later, in the middle of a copy.
        let now = "lazy_itable_init=0,lazy_journal_init=0";
        run(Command::new("mkfs.ext4")
            .args(["-q", "-F", "-E", now])
            .arg(&disk.image))?;
        disk.mount()?;
        Ok(disk)
    }

    /// Where files are.
    pub(crate) fn path(&self) -> &Path {
        &self.mount
    }

    /// Cuts the power: the hub is held, what the disk holds is copied, the hub is killed, and
    /// the copy is what is found afterwards.
    pub(crate) fn cut(&mut self, hub: Hub) -> Result<(), TortureError> {
        hub.hold().map_err(TortureError::system("hold the hub"))?;
        let copy = self.image.with_extension("copy");
        self.copy_at_one_point_in_time(&copy)?;
        hub.kill();
        self.unmount()?;
        fs::rename(&copy, &self.image).map_err(TortureError::system("replace the disk"))?;
        self.mount()
    }

    /// The kernel may write on its own while we copy; a copy that mixes before and after would
    /// be no state that a disk can be in.
    fn copy_at_one_point_in_time(&self, copy: &Path) -> Result<(), TortureError> {
        let device = self.device()?;
        for _ in 0..COPIES_MAX {
            let before = Written::of(&device)?;
            let mut cp = Command::new("cp");
            run(cp.arg("--sparse=always").arg(&self.image).arg(copy))?;
            if !before.is_under_way && Written::of(&device)? == before {
                return Ok(());
            }
        }
        Err(TortureError::Disk {
            what: "copy the disk at one point in time".to_owned(),
            why: "it is written all the time".to_owned(),
        })
    }

    /// The loop device's name.
    fn device(&self) -> Result<String, TortureError> {
        let mut find = Command::new("findmnt");
        let source = run(find
            .args(["-n", "-o", "SOURCE", "--mountpoint"])
            .arg(&self.mount))?;
        let name = source.trim().rsplit('/').next().unwrap_or_default();
        Ok(name.to_owned())
    }

    fn mount(&mut self) -> Result<(), TortureError> {
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(&self.image)
            .arg(&self.mount))?;
        self.is_mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> Result<(), TortureError> {
        run(Command::new("umount").arg(&self.mount))?;
        self.is_mounted = false;
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted && self.unmount().is_err() {
            // Somebody is still in it; it goes when they do.
            let _ = run(Command::new("umount").arg("-l").arg(&self.mount));
        }
        let _ = fs::remove_file(&self.image); // The folder may be kept, to be looked at.
        let _ = fs::remove_file(self.image.with_extension("copy"));
    }
}

/// What a block device has written so far (the kernel's Documentation/block/stat.rst).
#[derive(PartialEq, Eq)]
struct Written {
    writes: u64,
    sectors: u64,
    is_under_way: bool,
}

impl Written {
    fn of(device: &str) -> Result<Self, TortureError> {
        let text = fs::read_to_string(format!("/sys/block/{device}/stat"))
            .map_err(TortureError::system("read what was written to the disk"))?;
        let fields = text
            .split_whitespace()
            .map(|field| field.parse().unwrap_or(0));
        let fields: Vec<u64> = fields.collect();
        let field = |index: usize| fields.get(index).copied().unwrap_or(0);
        Ok(Self {
            writes: field(4),
            sectors: field(6),
            is_under_way: 0 < field(8),
        })
    }
}

/// Runs a command; it must succeed. Returns what it said.
fn run(command: &mut Command) -> Result<String, TortureError> {
    let error = |why: String| TortureError::Disk {
        what: format!("run {}", command.get_program().to_string_lossy()),
        why,
    };
    let output = Command::new(command.get_program())
        .args(command.get_args())
        .output()
        .map_err(|source| error(source.to_string()))?;
    if !output.status.success() {
        return Err(error(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
