//! A server that speaks TLS only.

use super::project::World;
use super::server::{Kind, certify};
use crate::cli_support::Told;

fn call(world: &World, args: &[&str], uri: &str) -> Told {
    let mut command = world.command(args);
    command.env("BARKEEP_TEST_URI", uri);
    world.project.output(command.output().unwrap())
}

#[test]
fn rows_leave_over_tls_and_nothing_is_said_to_a_server_that_cannot_prove_its_name() {
    World::each_kind(&[Kind::Encrypted], 20, 0, 2, |world| {
        let output = world.call(&["doctor", "job.toml"]).exits(0);
        assert!(output.out.contains("over TLS"), "{output:?}");
        let address = world.database.server.address();
        certify(world.project.root(), "db.example");
        let other = format!("mongodb://{address}/?tls=true&tlsCAFile={}", world.project.path("ca.pem").display());
        for uri in [&other, &format!("mongodb://{address}/?tls=true")] {
            let output = call(&world, &["run", "job.toml"], uri).exits(3);
            assert!(
                output.err.contains("no TLS connection to") && output.err.contains("invalid peer certificate"),
                "{output:?}"
            );
        }
        call(&world, &["run", "job.toml"], &format!("mongodb://{address}/")).exits(3);
        world.holds();
        assert_eq!(world.items("removed"), 0);
        assert_eq!(world.call(&["run", "job.toml"]).exits(1).value("removed"), "2");
        world.holds();
    });
}
