//! What the client and the judge of tokens promise, against a stand-in for GitHub that speaks the real protocol.

mod calls;
mod fixture;
mod thread;
mod trouble;
mod trustees;
