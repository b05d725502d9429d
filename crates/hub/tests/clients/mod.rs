//! Foreign clients, unchanged: each subscribes, publishes and receives at each QoS, over all
//! that it speaks, in MQTT 3.1.1 and 5.

mod mosquitto; // mosquitto_pub, _sub and _rr, by Eclipse
mod rumqttc; // a crate
mod scripts; // paho-mqtt for Python and mqtt.js for Node, by scripts
