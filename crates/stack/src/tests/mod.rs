//! The behaviours of a NIC, one file for each section of the list; a test's name begins with the
//! numbers it holds. What needs a worker's stages is tested in `corelane`, the facade.

mod a_addresses;
mod b_references;
mod c_primary;
mod d_modes;
mod e_groups;
mod e_routers;
mod f_broadcast;
mod g_dad;
mod j_routes;
mod n_info;
