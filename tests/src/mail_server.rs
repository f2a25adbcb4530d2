//! A mail server on loopback that takes every mail and keeps it as it came; no encryption, no login.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A mail server; it ends with the runtime of the test.
#[derive(Debug, Clone)]
pub struct MailServer {
    mails: Arc<Mutex<Vec<String>>>,
    /// `smtp://…`.
    pub url: String,
}

impl MailServer {
    /// Listens on a free port.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("smtp://{}", listener.local_addr()?);
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = mails.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, kept.clone()));
            }
        });
        Ok(Self { mails, url })
    }

    /// The mails that came, each with its headers.
    pub fn mails(&self) -> Vec<String> {
        self.mails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn serve(mut stream: TcpStream, mails: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 loopback ESMTP\r\n").await?;
    let mut body: Option<String> = None;
    while let Some(line) = lines.next_line().await? {
        if let Some(mail) = &mut body {
            if line == "." {
                let mail = std::mem::take(mail);
                body = None;
                mails
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(mail);
                write.write_all(b"250 kept\r\n").await?;
            } else {
                mail.push_str(line.strip_prefix('.').unwrap_or(&line));
                mail.push('\n');
            }
            continue;
        }
        let answer: &[u8] = match line.get(..4).unwrap_or(&line) {
            "EHLO" => b"250-loopback\r\n250 8BITMIME\r\n",
            "DATA" => {
                body = Some(String::new());
                b"354 go on\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        write.write_all(answer).await?;
    }
    Ok(())
}
