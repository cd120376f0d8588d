//! The simulator itself: one Workflow from its creation to its end.

use crate::common::{Workflows, happy_diamond, phase};
use hearth_sim::{clock::secs, lens, world::Halt};

#[test]
fn a_diamond_comes_to_its_end() {
    let mut world = Workflows::new(lens::workflow(), 1);
    happy_diamond(&mut world);
    let halt = world.run_for(secs(3600));
    for request in world.server.log() {
        println!(
            "{} {} {:?} {:?}",
            hearth_sim::clock::since_begin(request.at),
            request.what,
            request.intent.as_ref().map(|i| (&i.step, i.attempt, request.placeholder)),
            request.answer
        );
    }
    println!("{:#}", serde_json::to_value(world.status(&hearth_sim::samples::key("demo"))).unwrap());
    assert_eq!(world.violations(), &[] as &[String]);
    assert_eq!(phase(&world, "demo").as_deref(), Some("Succeeded"));
    assert_eq!(halt, Halt::Rest);
    assert_eq!(world.kubelet.ledger().len(), 4);
}
