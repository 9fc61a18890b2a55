//! The far end of very many connections, in a process of its own: both ends in one would need twice its descriptors.

use std::process::ExitCode;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Prints its address and echoes whatever comes, until it is killed.
pub(crate) fn serve() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("{}", listener.local_addr().expect("a bound listener has an address"));
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(echo(stream))),
                Err(error) => {
                    eprintln!("cannot accept: {error}");
                    return ExitCode::FAILURE;
                }
            }
        }
    })
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    // Small: there are thousands, and a byte is all that each is asked for.
    let mut buffer = [0; 512];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count]).await?,
        }
    }
}
