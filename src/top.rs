//! `plumbline top`: a running agent in a terminal. What it answers ([`answers`], asked for by [`client`]) becomes tables ([`sections`],
//! with what counters did of late from [`course`]), and these, with what the keys ([`keys`]) have made of the view ([`view`]), the lines of a
//! frame ([`frame`]), which [`screen`] shows. All but client and screen are pure.
//!
//! It reads the agent's API and nothing else: whoever may read the page may see this.

pub mod answers;
pub mod client;
pub mod course;
pub mod frame;
pub mod keys;
pub mod screen;
pub mod sections;
pub mod view;
