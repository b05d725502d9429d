//! Elements over real sockets: what foreign consumers and devices make of them.

mod coap; // what others speak to small devices
mod homeassistant; // things are entities there
mod homie; // devices that speak Homie 5
mod inventory; // elements are found, taken in and given out
mod kills; // what is there after the hub was killed
mod lamp; // a device that does what it is told
mod node_wot; // the reference client of the Web of Things
mod rules; // devices that announce nothing
mod sparkplug; // nodes of another maker that speak Sparkplug B
mod twice; // requests that are sent again
mod units; // values in other units
mod values; // what was reported lately
mod websocket; // JSON over WebSocket, for consumers and things
