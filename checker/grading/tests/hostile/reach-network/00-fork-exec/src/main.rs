// Looks for the host's network: a listener on its loopback, sockets by name.
// expect: fail
mod guard;
mod process;

use std::net::{TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

fn main() -> std::process::ExitCode {
    guard::harm(5);
    let port = "@PORT@";
    for address in ["127.0.0.1", "[::1]", "0.0.0.0", "@ADDRESS@"] {
        let Ok(address) = format!("{address}:{port}").parse() else {
            continue;
        };
        let limit = Duration::from_millis(100);
        if TcpStream::connect_timeout(&address, limit).is_ok() {
            eprintln!("ESCAPED: connected to {address}");
        }
        let socket = UdpSocket::bind("0.0.0.0:0");
        let _ = socket.and_then(|socket| socket.send_to(b"hostile", address));
    }
    let name = SocketAddr::from_abstract_name(format!("rubber-crab-{port}"));
    if name
        .and_then(|name| UnixStream::connect_addr(&name))
        .is_ok()
    {
        eprintln!("ESCAPED: connected to a socket of the host's");
    }
    guard::run_command()
}
