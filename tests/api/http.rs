//! The edge: faces, headers, the order of checks, hostile bodies, one effect per key.

mod bench;
mod bodies;
mod faces;
mod keys;
mod sockets;
