//! From start to end: what signals do, and what a start needs.

mod again; // what comes back after a restart
mod drain; // SIGTERM
mod reload; // SIGHUP
mod start; // what keeps a hub from starting, and says so
