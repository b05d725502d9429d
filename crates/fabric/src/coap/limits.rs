use std::time::Duration;

/// How long a message waits for its acknowledgement before it is sent again, at least (RFC 7252,
/// section 4.8).
pub(super) const ACK_TIMEOUT: Duration = Duration::from_secs(2);
/// How much longer it may wait, at random, so that not all send at once.
pub(super) const ACK_RANDOM: Duration = Duration::from_secs(1);
/// How often it is sent again.
pub(super) const RETRANSMIT_MAX: u8 = 4;
/// How long a message identifier means the same message (RFC 7252, section 4.8.2).
pub(super) const EXCHANGE_LIFETIME: Duration = Duration::from_secs(247);
/// How long an answer may take before the request is acknowledged without it.
pub(super) const PIGGYBACK_WITHIN: Duration = Duration::from_secs(1);
/// How much time lies between two notifications to one observer. A message identifier would
/// otherwise come again while it is still remembered.
pub(super) const NOTIFY_EVERY: Duration = Duration::from_millis(100);
/// How long an observer may be silent before it is asked whether it is there.
pub(super) const SILENT_MAX: Duration = Duration::from_secs(600);

/// The largest datagram that is read, in bytes: more than UDP carries.
pub const DATAGRAM_BYTES_MAX: usize = 1 << 16;
/// The largest body of a request, in bytes: as over HTTP.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;
/// The largest answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 4 << 20;
/// A refusal's text, in bytes.
pub(super) const DIAGNOSTIC_BYTES_MAX: usize = 1024;

/// Peers that are remembered.
pub(super) const PEERS_MAX: usize = 2048;
/// Messages of one peer that are remembered, so that none is followed twice.
pub(super) const EXCHANGES_MAX: usize = 32;
/// Requests of one peer that may be answered at the same time.
pub(super) const REQUESTS_MAX: usize = 16;
/// Long requests of one peer that may come at the same time, and long answers that may go.
pub(super) const TRANSFERS_MAX: usize = 4;
/// Bytes of long requests and answers that are held for all peers together.
pub(super) const HELD_BYTES_MAX: usize = 64 << 20;
/// Resources that one peer may observe.
pub(super) const OBSERVERS_MAX: usize = 16;
/// Observers of all peers together.
pub(super) const OBSERVERS_ALL_MAX: usize = 4096;
/// Notifications that wait for an observer, where each of them counts.
pub(super) const PENDING_MAX: usize = 32;
