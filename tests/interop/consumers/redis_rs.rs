use redis::AsyncCommands as _;
use redis::streams::{StreamReadOptions, StreamReadReply};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("REDIS_URL").unwrap_or_else(|_| "redis://localhost".into());
    let mut connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    // An error means that the group exists.
    let _: Result<(), _> = connection.xgroup_create_mkstream("MESSAGE_CREATE", "bot", "0").await;
    let options = StreamReadOptions::default().group("bot", "one").count(100).block(400);
    loop {
        let reply: Option<StreamReadReply> = connection.xread_options(&["MESSAGE_CREATE"], &[">"], &options).await?;
        for entry in reply.into_iter().flat_map(|reply| reply.keys).flat_map(|stream| stream.ids) {
            let data: Vec<u8> = entry.get("data").ok_or("an entry without data")?;
            let text: String = rmp_serde::from_slice(&data)?;
            let data: serde_json::Value = serde_json::from_str(&text)?;
            println!("MESSAGE_CREATE {}", data["id"].as_str().unwrap_or_default());
            let _: () = connection.xack("MESSAGE_CREATE", "bot", &[entry.id]).await?;
        }
    }
}
