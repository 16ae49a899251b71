//! Single commands with their answers, for `redis.query`.

use std::sync::Arc;

use redis::aio::ConnectionLike as _;
use redis::{Cmd, RedisResult, Value};
use tokio::sync::Mutex;

use crate::connection::{Connection, RedisAddress};

/// Asks the server. Clones share a connection, which is made when the first one asks.
#[derive(Debug, Clone)]
pub struct QueryClient {
    address: RedisAddress,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl QueryClient {
    pub(super) fn new(address: RedisAddress) -> Self {
        Self { address, connection: Arc::default() }
    }

    /// Sends a command and waits for its answer, at most for some seconds.
    ///
    /// # Errors
    /// The server's own, or why there is no answer. The command may have been carried out all the same.
    pub async fn query(&self, arguments: &[Vec<u8>]) -> RedisResult<Value> {
        let mut command = Cmd::new();
        command.arg(arguments);
        let mut connection = self.connection().await?;
        let answer = connection.req_packed_command(&command).await;
        if answer.as_ref().is_err_and(|error| error.is_io_error() || error.is_unrecoverable_error()) {
            *self.connection.lock().await = None;
        }
        answer?.extract_error()
    }

    async fn connection(&self) -> RedisResult<Connection> {
        let mut connection = self.connection.lock().await;
        match &*connection {
            Some(connection) => Ok(connection.clone()),
            None => {
                let made = self.address.connect().await?;
                *connection = Some(made.clone());
                Ok(made)
            }
        }
    }
}
