//! What was acknowledged survives the death of the real binary, whenever it comes.

mod canary; // that a hub which forgets is found out
mod kills; // SIGKILL under load, again and again
