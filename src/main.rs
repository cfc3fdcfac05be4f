//! The command line; see `linli::cli`.

use std::process::ExitCode;

#[actix_web::main]
async fn main() -> ExitCode {
    linli::cli::run().await
}
