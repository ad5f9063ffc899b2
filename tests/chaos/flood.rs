//! Strangers in numbers: each calls under a name of its own, and over connections that it does not use.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

/// From one stranger to the next.
const PAUSE: Duration = Duration::from_millis(5);

/// How many connections the strangers hold, far more than there are places for.
const HELD: usize = 600;

/// The addresses that they come from, in turn.
const FROM: [[u8; 4]; 2] = [[127, 0, 0, 2], [127, 0, 0, 3]];

/// Floods a server until it is dropped.
pub(crate) async fn of(api: SocketAddr) {
    let mut held = Vec::new();
    for number in 0_u64.. {
        // One that is not let in, or a server that is gone, is no reason to give up.
        if let Ok(stream) = call(api, number).await {
            if held.len() < HELD {
                held.push(stream)
            } else {
                held[usize::try_from(number).unwrap_or(0) % HELD] = stream
            }
        }
        sleep(PAUSE).await;
    }
}

async fn call(api: SocketAddr, number: u64) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let from = FROM[usize::try_from(number).unwrap_or(0) % FROM.len()];
    socket.bind((from, 0).into())?;
    let mut stream = socket.connect(api).await?;
    let request = format!("GET /readiness HTTP/1.1\r\nhost: parsec\r\nx-scheduler-id: flood-{number}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}
