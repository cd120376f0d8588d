//! `compare`: what differs between two runs.

use super::{json, yaml};
use crate::{
    args::{CompareArgs, Form},
    connect::Connected,
    error::CliError,
    record::{find_words, steps},
    render::{self, Compared},
    terminal::{Terminal, show},
};

pub async fn compare(connected: &mut Connected, args: &CompareArgs) -> Result<(), CliError> {
    let (namespace, api) = (connected.namespace.clone(), &mut connected.api);
    let left = find_words(api, &namespace, std::slice::from_ref(&args.left)).await?;
    let left_steps = steps(api, &left).await?;
    let right = find_words(api, &namespace, std::slice::from_ref(&args.right)).await?;
    let right_steps = steps(api, &right).await?;
    let compared = Compared::of((&left, &left_steps), (&right, &right_steps));
    match args.output {
        Form::Table => show(&render::compare(&compared, Terminal::of_stdout().width)),
        Form::Json => json(&compared),
        Form::Yaml => yaml(&compared),
    }
}
