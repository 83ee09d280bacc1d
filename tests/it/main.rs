//! The one integration binary: each module shows one side of barkeep from the outside.

mod layers;
