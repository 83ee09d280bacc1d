use super::*;

#[test]
fn empty() {
    let world = World::new(1);
    world.put("/a/b", "x");
    assert_eq!(world.contents("/a/b").unwrap(), b"x");
}
