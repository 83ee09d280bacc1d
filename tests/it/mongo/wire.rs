//! A wire to a server that fails when a test says so: it breaks before a command reaches the server, or after the server
//! carried it out, or the reply never comes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// How the wire fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection breaks, and the server never sees the command.
    Before,
    /// The server carries the command out, and the connection breaks before its reply.
    After,
    /// The server carries the command out, and its reply never comes.
    Silence,
    /// The command lies somewhere on its way; the server carries it out when its sender has long given up.
    Late,
}

/// How long after it was sent a late command reaches the server.
pub(crate) const LATE: std::time::Duration = std::time::Duration::from_millis(2500);

/// The commands that settling sends.
const WATCHED: [&str; 4] = ["find", "insert", "update", "delete"];
/// The number of the message format that carries commands.
const OP_MSG: [u8; 4] = 2013_i32.to_le_bytes();

#[derive(Default)]
struct State {
    /// The fault, and which of the watched commands it meets, from 1.
    fault: Mutex<Option<(Fault, usize)>>,
    seen: AtomicUsize,
    /// The only command that counts, where one is named.
    named: Mutex<Option<&'static str>>,
    /// The name of the command that was met.
    met: Mutex<Option<String>>,
}

/// A wire on a port of its own.
pub(crate) struct Wire {
    pub(crate) port: u16,
    state: Arc<State>,
}

impl Wire {
    /// A wire to the server at `address`; it carries everything until it is reported to fail.
    pub(crate) fn to(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let (address, shared) = (address.to_owned(), Arc::clone(&state));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&address)) else { continue };
                carry(client, server, &address, &shared);
            }
        });
        Self { port, state }
    }

    /// Fails once, at the `at`th command of those that settling sends.
    pub(crate) fn fail(&self, fault: Fault, at: usize) {
        self.state.seen.store(0, Ordering::SeqCst);
        *self.state.met.lock().unwrap() = None;
        *self.state.fault.lock().unwrap() = Some((fault, at));
    }

    /// Fails once, at the first command of this name.
    pub(crate) fn fail_at(&self, fault: Fault, name: &'static str) {
        self.state.seen.store(0, Ordering::SeqCst);
        *self.state.met.lock().unwrap() = None;
        *self.state.named.lock().unwrap() = Some(name);
        *self.state.fault.lock().unwrap() = Some((fault, 1));
    }

    /// The command that was met by the fault; `None` where there were fewer.
    pub(crate) fn met(&self) -> Option<String> {
        self.state.met.lock().unwrap().clone()
    }
}

/// Carries messages both ways until one side ends.
fn carry(client: TcpStream, server: TcpStream, address: &str, state: &Arc<State>) {
    let address = address.to_owned();
    // Of a swallowed reply: whether the connection breaks instead.
    let swallow: Arc<Mutex<Option<bool>>> = Arc::default();
    let over = Arc::new(AtomicBool::new(false));
    let (up, down) = ((client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client));
    let (state, marked) = (Arc::clone(state), Arc::clone(&swallow));
    std::thread::spawn(move || {
        let (mut client, mut server) = up;
        while let Some(message) = read(&mut client) {
            match state.fault_of(&message) {
                Some(Fault::Before) => break,
                Some(Fault::Late) => {
                    let address = address.clone();
                    std::thread::spawn(move || deliver_late(&address, &message));
                    continue;
                }
                Some(Fault::After) => *marked.lock().unwrap() = Some(true),
                Some(Fault::Silence) => *marked.lock().unwrap() = Some(false),
                None => {}
            }
            if server.write_all(&message).is_err() {
                break;
            }
        }
        close(&client, &server);
    });
    std::thread::spawn(move || {
        let (mut server, mut client) = down;
        while let Some(message) = read(&mut server) {
            let swallowed = swallow.lock().unwrap().take();
            match swallowed {
                Some(true) => break,
                Some(false) => over.store(true, Ordering::SeqCst),
                None => {}
            }
            if !over.load(Ordering::SeqCst) && client.write_all(&message).is_err() {
                break;
            }
        }
        close(&client, &server);
    });
}

fn deliver_late(address: &str, message: &[u8]) {
    std::thread::sleep(LATE);
    let mut server = TcpStream::connect(address).unwrap();
    server.write_all(message).unwrap();
    read(&mut server);
}

fn close(one: &TcpStream, other: &TcpStream) {
    // The other thread may have closed them already.
    drop(one.shutdown(Shutdown::Both));
    drop(other.shutdown(Shutdown::Both));
}

/// A whole message: its length stands in its first four bytes.
fn read(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = [0; 4];
    from.read_exact(&mut head).ok()?;
    let mut message = head.to_vec();
    message.resize(usize::try_from(i32::from_le_bytes(head)).ok()?, 0);
    from.read_exact(&mut message[4..]).ok()?;
    Some(message)
}

impl State {
    /// The fault that `message` is to meet.
    fn fault_of(&self, message: &[u8]) -> Option<Fault> {
        let named = *self.named.lock().unwrap();
        let counts = |name: &&str| named.map_or(WATCHED.contains(name), |only| only == *name);
        let name = command(message).filter(counts)?;
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        let (fault, _) = self.fault.lock().unwrap().take_if(|(_, at)| *at == number)?;
        *self.met.lock().unwrap() = Some(name.to_owned());
        Some(fault)
    }
}

/// The name of a command: the first field of the document behind header, flags, kind and length.
fn command(message: &[u8]) -> Option<&str> {
    if message.get(12..16)? != OP_MSG {
        return None;
    }
    let field = message.get(26..)?;
    std::str::from_utf8(field.split(|byte| *byte == 0).next()?).ok()
}
