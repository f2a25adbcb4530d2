//! What people are told, when and how often: derived from the store, through every notifier alike.

mod about;
mod apart;
mod beat;
mod contract;
mod outbox;
mod rights;
mod site;
mod words;

use chrono::TimeDelta;
use tests::board::Board;
use tests::desk::Desk;

const LADDER: &str = "
[notify.ladder]
high = \"10m\"
rungs = [[\"S0SOC\"], [\"U0LEAD\"]]
";

/// A desk whose board was told of nothing yet: a notifier is told of nothing that is older than itself.
async fn desk(name: &str) -> (Desk, Board) {
    let desk = Desk::open(name, |text| format!("{text}\n{LADDER}"))
        .await
        .unwrap();
    let board = Board::default();
    board.beat(&desk.ctx).await.unwrap();
    desk.clock.forward(TimeDelta::minutes(30));
    (desk, board)
}
