//! A ring of receive buffers for io_uring: the kernel picks one per receive, the server gives it
//! back when it has read it.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

pub const GROUP: u16 = 0;
const BUFFERS: u16 = 256;
const BUFFER_SIZE: usize = 32 * 1024;

/// Receive buffers lent to the kernel through a ring both sides see.
pub struct Buffers {
    ring: *mut BufRingEntry,
    memory: Vec<u8>,
    tail: u16,
}

impl Buffers {
    pub fn register(ring: &IoUring) -> io::Result<Self> {
        let size = usize::from(BUFFERS) * size_of::<BufRingEntry>();
        let layout = std::alloc::Layout::from_size_align(size, 4096).map_err(io::Error::other)?;
        // SAFETY: the layout is not empty; all-zero bytes are a valid `BufRingEntry`.
        let entries = unsafe { std::alloc::alloc_zeroed(layout) }.cast::<BufRingEntry>();
        if entries.is_null() {
            std::alloc::handle_alloc_error(layout);
        }
        // SAFETY: page-aligned, of the stated length, and never freed: the server runs until the
        // process ends.
        unsafe {
            ring.submitter()
                .register_buf_ring_with_flags(entries as u64, BUFFERS, GROUP, 0)?;
        }
        let mut buffers = Self {
            ring: entries,
            memory: vec![0; usize::from(BUFFERS) * BUFFER_SIZE],
            tail: 0,
        };
        (0..BUFFERS).for_each(|buffer| buffers.give_back(buffer));
        Ok(buffers)
    }

    pub fn bytes(&self, buffer: u16, length: usize) -> &[u8] {
        &self.memory[usize::from(buffer) * BUFFER_SIZE..][..length]
    }

    pub fn give_back(&mut self, buffer: u16) {
        let address = &raw mut self.memory[usize::from(buffer) * BUFFER_SIZE];
        // SAFETY: the slot lies in the ring (BUFFERS is a power of two) and the kernel does not
        // read it before the tail has moved on; the tail overlays a reserved field of slot 0.
        unsafe {
            let slot = &mut *self.ring.add(usize::from(self.tail % BUFFERS));
            slot.set_addr(address as u64);
            slot.set_len(BUFFER_SIZE as u32);
            slot.set_bid(buffer);
            self.tail = self.tail.wrapping_add(1);
            let tail = BufRingEntry::tail(self.ring).cast::<AtomicU16>();
            (*tail).store(self.tail, Ordering::Release);
        }
    }
}
