//! Bad input and bad manners over real sockets: the guilty one suffers, nobody else.

mod bytes; // what is no MQTT, or too much of it
mod flood; // who sends too fast, and who does not read
mod half_open; // who holds connections for nothing
