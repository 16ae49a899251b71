//! The back channel: commands from a broker to Discord.
