//! What was acknowledged survives the death of the real binary, whenever it comes.

mod kills; // SIGKILL under load, again and again
