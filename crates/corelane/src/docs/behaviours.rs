//! What a NIC does, number by number, and where it differs from netstack's.
//!
//! The behaviour is that of gVisor netstack's `nic.go` of October 2019 (`fb69de696be5`), whose
//! observable behaviours the project numbers: a letter for the section, a number in it. `kept` means
//! that what can be observed is the same, in the idiom of Rust: `Result` for error codes, values
//! that are dropped for counts that are given back, handles for numbers that are looked up.
//! `changed` says what is different, and why. A defect of that version ([`BUG`](#defects)) is never
//! kept.
//!
//! The last column names a test that holds the behaviour. Every number has one or more, whose
//! name begins with it (`a16_...`; several numbers: `a15_a16_...`); `ci/behaviours` fails if one has
//! none.
//!
//! # A. Addresses and endpoint kinds
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | A1 | one endpoint per address, keyed by the address alone | kept | | `a1_` |
//! | A2 | four kinds and their transitions | changed | one transition more: a permanent IPv6 address becomes tentative when its NIC goes down or comes up, to be probed anew (RFC 4862 section 5.4) | `a2_` |
//! | A3 | adding what is there, tentative or permanent: duplicate | kept | [`AddAddressError::DuplicateAddress`](crate::stack::AddAddressError::DuplicateAddress) | `a3_` |
//! | A4 | adding what is expired or temporary and held: the same endpoint becomes permanent | kept | | `a4_` |
//! | A5 | promotion ignores the new configuration and detection | changed | BUG 8: it takes the new prefix length and primary behaviour, and probes | `a5_` |
//! | A6 | adding what is dead and not unlinked yet makes a new endpoint | kept | | `a6_` |
//! | A7 | unknown protocol; the duplicate check comes first | changed | the protocol is checked first: an address of a protocol that the NIC does not speak can never be there ([`Protocols`](crate::stack::Protocols)) | `a7_` |
//! | A8 | which of two mistakes is told | changed | a handle to a removed NIC says so before anything else: [`NicGone`](crate::stack::NicGone) | `a8_` |
//! | A9 | default prefix length 32 or 128; a given one is kept | kept | | `a9_` |
//! | A10 | an error leaves no trace | kept | table full and out of memory; there is no ARP address here | `a10_` |
//! | A11 | no validation of the address | changed | the unspecified, multicast, limited broadcast and IPv4-mapped ones are refused: no host can have them (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5) | `a11_` |
//! | A12 | a unicast IPv6 address starts tentative and is probed | kept | where detection is on; not on loopback links | `a12_` |
//! | A13 | any IPv6 endpoint joins its solicited-node group, and fails if it cannot | changed | BUG 4: permanent ones join, temporary ones do not; joining cannot fail, since groups are no endpoints | `a13_` |
//! | A14 | if the first probe cannot be sent, the call fails and the address is stuck | changed | BUG 9: the call succeeds and the probe is sent when there is room; nothing is stuck | `a14_` |
//! | A15 | removing what is absent, expired or temporary: bad local address | kept | | `a15_` |
//! | A16 | removing gives the bias back; not held: closed at once; held: expired | kept | closed as soon as no worker can see it | `a16_` |
//! | A17 | after the removal no packet is accepted and no route made, even while held | kept | | `a17_` |
//! | A18 | removing a tentative address stops its detection | kept | [`DadAborted`](crate::stack::Event::DadAborted) tells | `a18_` |
//! | A19 | removing leaves the solicited-node group, and fails if that was left | changed | BUG 3: the NIC's own join cannot be taken away | `a19_` |
//! | A20 | a held address never leaves its group | changed | BUG 5: left at the removal | `a20_` |
//! | A21 | calls on an unknown NIC fail | kept | every call on a removed NIC fails with `NicGone` | `a21_` |
//! | A22 | the listing has permanent addresses, groups and the broadcast included | changed | addresses only: groups have a listing of their own, the broadcast is a rule; [`Nic::endpoints`](crate::stack::Nic::endpoints) lists every kind | `a22_` |
//! | A23 | primary addresses in primary order, permanent ones only | kept | | `a23_` |
//! | A24 | the main address: the first of those; none is no error | kept | `Option` | `a24_` |
//! | A25 | the listing of ranges has every endpoint too | changed | ranges only: endpoints have their own listing | `a25_` |
//!
//! # B. References and lifetime
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | B1 | a permanent endpoint begins with the table's bias, a temporary one with its creator's reference | kept | | `b1_` |
//! | B2 | a reference is taken only if there is one | kept | | `b2_` |
//! | B3 | the last reference unlinks and closes, once | kept | by the control plane, when no worker sees it any more: [`EndpointClosed`](crate::stack::Event::EndpointClosed) | `b3_` |
//! | B4 | no unlinking where another endpoint stands by now | kept | | `b4_` |
//! | B5 | a permanent endpoint without references is a panic | changed | cannot happen: the bias is given back by expiring only | `b5_` |
//! | B6 | a packet holds a reference while it is handled, and no lock | changed | the burst's snapshot keeps the endpoint instead: nothing is counted per packet | `b6_` |
//! | B7 | a route holds one reference; releasing twice is harmless; clones; looped routes | kept | [`Route`](crate::stack::Route): dropping releases, which cannot be done twice. Loops are a property of the route, not another route with the addresses swapped | `b7_` |
//! | B8 | sending from an expired address fails and works again after it is added again | kept | [`SendError::InvalidEndpointState`](crate::stack::SendError::InvalidEndpointState), also while it is tentative | `b8_` |
//! | B9 | the last route of an expired endpoint frees it, of a promoted one does not | kept | | `b9_` |
//! | B10 | a temporary endpoint vanishes with its last holder | kept | | `b10_` |
//! | B11 | whether a route needs resolution is the link's property | kept | a loopback link needs none, groups and broadcasts have fixed link addresses (O2); for others the NIC's neighbors are asked, unless the route was [given](crate::stack::Route::set_remote_link_address) one | `b11_` |
//!
//! # C. Primary order, source selection
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | C1 | can-be-primary appends, first prepends, never stays out | kept | O(1) each | `c1_` |
//! | C2 | removal keeps the order; added again it goes where it is put anew | kept | | `c2_` |
//! | C3 | the source is the first usable entry | changed | IPv4: as there. IPv6: what RFC 6724 says, and the primary order where it leaves several (rules 1, 2, 6 and 8; the others are about what a NIC here does not have). Not O(addresses) either way | `c3_` |
//! | C4 | a tentative address counts as usable | changed | BUG 7: never | `c4_` |
//! | C5 | temporary endpoints become sources of unrelated traffic | changed | BUG 10: never | `c5_` |
//! | C6 | an expired entry keeps its place and takes it again | changed | out of the list at once; added again it goes where its new configuration says, as A5 | `c6_` |
//! | C7 | groups, the broadcast and enable-time addresses are never primary | kept | groups and the broadcast are no endpoints; the link-local address is can-be-primary (G15) | `c7_` |
//! | C8 | a never-primary address can be named | kept | | `c8_` |
//!
//! # D. Promiscuous, spoofing, address ranges
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | D1 | permanent and temporary: found; expired: only under the mode, and no range gives it back; tentative or absent: next rule | changed | tentative: nothing, as D3 | `d1_` |
//! | D2 | then any address under the mode, or inside a range but for its ends | kept | | `d2_` |
//! | D3 | an endpoint of any kind is taken then; otherwise a temporary one is made | changed | BUG 6: a tentative one never. For a packet none is made: being accepted is enough | `d3_` |
//! | D4 | a range has no protocol but its length; full-length ranges never match | kept | found by longest prefix: one probe per length in use | `d4_` |
//! | D5 | ranges may be added twice, are removed together, leave held endpoints alone | kept | | `d5_` |
//! | D6 | a promiscuous NIC takes packets to any address and answers for it | kept | | `d6_` |
//! | D7 | promiscuous mode gives no source address | kept | | `d7_` |
//! | D8 | spoofing lets a route start anywhere; without a primary address none without a named one | changed | anywhere a host can be: not at a group, a broadcast or the unspecified address | `d8_` |
//! | D9 | spoofing keeps routes of removed addresses usable | kept | | `d9_` |
//! | D10 | a temporary endpoint that is held receives, whatever the modes are now | kept | | `d10_` |
//! | D11 | with spoofing every address is local | changed | solicitations are answered so; a probe of another host is objected to only for an address in use, or no neighbor could ever get one. There is no NIC number 0 for any NIC | `d11_` |
//! | D12 | asking whether an address is local makes a temporary endpoint | changed | it makes nothing | `d12_` |
//! | D13 | modes take effect for packets that start after the call | kept | from each worker's next burst | `d13_` |
//!
//! # E. Multicast
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | E1 | joins are counted; not checked to be a group | changed | checked; groups are no endpoints | `e1_` |
//! | E2 | unknown protocol, duplicate address | changed | unknown protocol stays; a group cannot be an address, so that there is no duplicate | `e2_` |
//! | E3 | leaving counts down; without a join: bad local address | kept | [`LeaveGroupError::NotJoined`](crate::stack::LeaveGroupError::NotJoined) | `e3_` |
//! | E4 | joins and the address table drift apart | changed | BUG 11: joins are counted apart, and users' apart from the NIC's own | `e4_` |
//! | E5 | a left group that a route holds stays expired | changed | no route holds a group | `e5_` |
//! | E6 | joins are per NIC; enabling joins all-nodes | kept | and 224.0.0.1 (RFC 1112). As in later versions a NIC is in the groups of all routers of a family while it forwards that, enabled or not: 224.0.0.2 (IANA); ff01::2, ff02::2, ff05::2 (RFC 4291 section 2.8); users' leaves do not take that away, as they do there (E4) | `e6_` |
//! | E7 | each unicast IPv6 address joins its solicited-node group; shared ones are counted | kept | | `e7_` |
//! | E8 | groups are not probed and join nothing | kept | | `e8_` |
//! | E9 | no IGMP or MLD is sent | changed | off unless switched on: IGMPv2/v3 and MLDv1/v2 as a host speaks them (RFC 2236, 3376, 2710, 3810); with more than a thousand groups, general queries in quick succession are answered once | `e9_` |
//!
//! # F. Broadcast
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | F1 | enabling adds 255.255.255.255 as an address that can be removed | changed | a rule: an enabled IPv4 NIC takes it (RFC 1122 section 3.2.1.3) | `f1_` |
//! | F2 | directed broadcasts are not recognized | changed | taken, and sent as broadcasts, while the NIC has an address in the subnet (RFC 1122 section 3.2.1.3); nothing is answered from them | `f2_` |
//! | F3 | what is sent to 255.255.255.255 loops back too; to groups only if asked | kept | directed broadcasts too; on a loopback link the link itself brings it back, so that no second copy is made | `f3_` |
//! | F4 | replies to a packet from 255.255.255.255 loop | changed | BUG 15: such packets are dropped as `martian` | `f4_` |
//!
//! # G. Duplicate address detection, neighbor discovery
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | G1 | a timer under 1 ms is 1 s; 0 transmits turn it off | kept | off unless [`NicConfig::ndp`](crate::stack::NicConfig::ndp) says | `g1_` |
//! | G2 | n probes, a timer apart, the first inside the call; then permanent | kept | sent after the lock is released | `g2_` |
//! | G3 | the probe, and its counters | changed | it carries a nonce (RFC 7527), unless switched off; counters are the NIC's [`ProtocolCounter`](crate::stack::ProtocolCounter)s | `g3_` |
//! | G4 | a later write error leaves the address tentative for ever | changed | BUG 9: sent again when there is room | `g4_` |
//! | G5 | while tentative: not listed, packets not ours, no route from it | kept | without that version's exceptions (BUG 6, 7) | `g5_` |
//! | G6 | `DupTentativeAddrDetected` and its errors | kept | [`Nic::duplicate_detected`](crate::stack::Nic::duplicate_detected) | `g6_` |
//! | G7 | a probe by another for a tentative address: duplicate; a solicitation: ignored | kept | | `g7_` |
//! | G8 | an advertisement for a tentative address: duplicate | kept | | `g8_` |
//! | G9 | nothing retries, the integrator is not told | changed | [`DuplicateAddress`](crate::stack::Event::DuplicateAddress) tells, with the offender; nothing retries but a stable opaque link-local address (RFC 7217) | `g9_` |
//! | G10 | solicitations for own addresses are answered; their source is put into the link cache | changed | as Linux does: the flags and the destination depend on how it was asked (RFC 4861 section 7.2.4); a probe is answered to all nodes. The source becomes a neighbor, `stale`, if the solicitation names its link address: nothing is learnt from Ethernet headers | `g10_` |
//! | G11 | an advertisement for another address fills the link cache, for its target and its source | changed | it updates the neighbor that its target is, by the rules of RFC 4861 section 7.2.5, and makes none; for an address in use here it is told as a [conflict](crate::stack::Event::AddressConflict) | `g11_` |
//! | G12 | hop limit other than 255: dropped | kept | `ndp_invalid`, for all of RFC 4861 section 7.1 | `g12_` |
//! | G13 | too short: dropped | kept | `ndp_invalid` | `g13_` |
//! | G14 | is it tentative? absent: no | kept | | `g14_` |
//! | G15 | link-local address by modified EUI-64 | kept | or stable opaque (RFC 7217) | `g15_` |
//! | G16 | detection runs on disabled NICs, and deadlocks on loopback | changed | BUG 1, 26: it begins when the NIC is enabled; loopback links have none | `g16_` |
//! | G17 | leaving the solicited-node group by hand ends in a panic | changed | BUG 2: users cannot take the NIC's own join away | `g17_` |
//!
//! # H. Packet endpoints
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | H1 | protocols of the stack, all, and PUP can be registered for; others are refused | changed | BUG 14: any EtherType ([`PacketProtocol`](crate::stack::PacketProtocol)), as the frames are shown whether the NIC speaks it or not | `h1_` |
//! | H2 | registered several times, an endpoint sees each packet as often; one registration is taken back at a time, an unknown one in silence | kept | | `h2_` |
//! | H3 | first the endpoints of the packet's protocol, in their order, then those of all | kept | an endpoint's own copies come in the order of the frames, for each worker | `h3_` |
//! | H4 | shown before any check, whoever the packet is for | kept | the whole frame; of an enabled NIC. What finds no room in a worker's ring is dropped before (`ring_full`) | `h4_` |
//! | H5 | the local link address is the frame's destination, or the NIC's if there is none | kept | every frame has a link header here: [`Shown::destination`](crate::stack::Shown::destination) | `h5_` |
//! | H6 | frames of protocols that the stack lacks are not shown | changed | BUG 14: shown, those too short for a header to endpoints of all | `h6_` |
//! | H7 | one that is unregistered meanwhile may still get that packet | kept | that burst | `h7_` |
//! | H8 | an unowned destination is not counted as invalid if somebody was shown the packet | changed | counted: each frame has one fate, whoever watches | `h8_` |
//! | H9 | inbound only; loopback shows them on the way in | kept | unless the endpoint [asks](crate::stack::PacketEndpointConfig::outbound) for what is sent: then that too, once, when it is handed to the link. What a NIC sends to itself is never on the link and not shown as inbound | `h9_` |
//! | H10 | NIC 0: every NIC there is, not later ones; a failure unregisters from all | changed | BUG 14: later ones too ([`Stack::register_packet_endpoint`](crate::stack::Stack::register_packet_endpoint)); it fails before it begins | `h10_` |
//! | H11 | without a factory for raw sockets: not permitted | changed | nothing to be permitted by: who has the stack may | `h11_` |
//! | H12 | cooked or raw; 32 KiB queue; full or closed: dropped and counted; readers are told on empty to non-empty | changed | one kind of copy with [methods](crate::stack::Shown) for both, and no header is made up; a queue for each worker, of so many frames; counted by the endpoint ([`PacketEndpointStats`](crate::stack::PacketEndpointStats)), since the frame itself is not dropped; a doorbell, which wakes who sleeps | `h12_` |
//! | H13 | errors of the packet socket | changed | typed: `None` for would-block, [`is_closed`](crate::stack::PacketQueue::is_closed) for closed; what it does not support does not compile | `h13_` |
//!
//! # I. Delivery and counters
//!
//! What moves when is the table of [`delivery`](super::delivery), which a test reads.
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | I1 | received packets and bytes count always; bytes are those of the network packet | changed | bytes are the whole frame's, as on the way out (BUG 18) | `i1_` |
//! | I2 | an unknown protocol is counted, and that is all | kept | `unknown_protocol`, of the NIC; also a protocol that the stack has and the NIC does not speak | `i2_` |
//! | I3 | then packet endpoints are shown the packet | changed | before that: whatever the protocol (H6) | `i3_` |
//! | I4 | IPv4 and IPv6 packets received are counted | changed | no counter of its own: they are the received ones without those of other protocols, which are counted | `i4_` |
//! | I5 | a first view shorter than the header: malformed | kept | counted by protocol; a frame is one piece, so that no header is split | `i5_` |
//! | I6 | no check of version, length, checksum or source | changed | BUG 17: all of them are checked; own, group, broadcast, class E, mapped and, on the wire, loopback addresses are `martian` (RFC 1122 section 3.2.1.3, RFC 1812 section 5.3.7, RFC 4291). What the NIC itself sent to many comes back as it was; neighbor discovery may be from an own address, or no conflict would be found | `i6_` |
//! | I7 | destination found: handled, with a route back to where the frame came from | kept | no route is made: replies go to the frame's source, from the NIC's link address | `i7_` |
//! | I8 | not found, not forwarding, shown to no packet endpoint: invalid address | changed | shown or not (H8): looking on changes nothing | `i8_` |
//! | I9 | not found, forwarding, no route: invalid address | changed | `no_route`, and the sender is told (RFC 1812 section 5.2.7.1) | `i9_` |
//! | I10 | not found, forwarding, route: section J | kept | | `i10_` |
//! | I11 | IPv4: malformed headers counted, trailing bytes cut, checksum not verified, options skipped | changed | counted by what is wrong; the checksum is verified; source routes are dropped (RFC 7126), malformed options answered with a parameter problem, others accepted | `i11_` |
//! | I12 | fragments: malformed ones counted, state per network endpoint, none for a temporary one | changed | BUG 13: state per worker, whoever the address is of; overlaps end their datagram (RFC 5722), timeouts are told, 64 datagrams at a time and no frame of the links is held | `i12_` |
//! | I13 | what goes to a transport is counted as delivered, ICMP is not | changed | `delivered` is what a handler or a socket was given, ICMP that nobody here answers included; every type of ICMP has its counter | `i13_` |
//! | I14 | IPv6: malformed headers not counted, extension headers not understood | changed | counted by what is wrong; headers are walked as RFC 8200 says, unknown options and headers answered where it says so | `i14_` |
//! | I15 | the caller keeps the slice of views, receivers copy it | changed | a frame has one owner: who takes it has it, and others get copies | `i15_` |
//!
//! # J. Forwarding and routes
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | J1 | one switch for the stack, off | changed | off; one for each NIC and family ([`Nic::set_forwarding`](crate::stack::Nic::set_forwarding)), that of the NIC that a packet arrives on; with it come the groups of all routers (E6) | `j1_` |
//! | J2 | only what the NIC does not accept; a promiscuous one forwards nothing | kept | | `j2_` |
//! | J3 | route as of `FindRoute` for any NIC; none: I9 | changed | by longest prefix, of the rows whose NIC is enabled; told as unreachable, so many in a second | `j3_` |
//! | J4 | for an address of the route's NIC: handled there, if a row covers it | kept | its own, or one that somebody holds; what it merely accepts is sent on. The hop limit does not count | `j4_` |
//! | J5 | under that NIC's primary address | changed | BUG 12: to the address itself; replies and errors come from it | `j5_` |
//! | J6 | otherwise written unchanged | changed | BUG 16: a hop less, with the checksum put right (RFC 1624); expired, too big or malformed: told; IPv4 without the don't-fragment bit is cut | `j6_` |
//! | J7 | a tentative address counts as owned | changed | BUG 6: it does not; the packet waits for whoever has it | `j7_` |
//! | J8 | the frame's link addresses are the ingress NIC's and the original sender's | changed | BUG 16: the egress NIC's and the next hop's; while that is looked for the packet waits, whole, and its sender is told if nobody answers and he may be told | `j8_` |
//! | J9 | write error and success are counted, sent bytes those of the network packet | changed | `forwarded` where it arrived, `sent`, `sent_bytes` (whole frames) or `send_dropped` where it left; `consumed` if it waited | `j9_` |
//! | J10 | out of the NIC it came from; groups, broadcasts and link-local ones too | changed | the first stays, without redirects; the others never (RFC 1812 section 5.3.4, RFC 2644, RFC 3927 section 7, RFC 4291 section 2.5.6), nor what came in a frame for many. Who sends beyond the scope of an IPv6 link-local address is told (RFC 4443 section 3.1), of the rest nobody | `j10_` |
//! | J11 | in J4 only the receiving NIC's counters move | kept | | `j11_` |
//! | J12 | to all, a group or link-local on a NIC that is given: no row needed | kept | 169.254.0.0/16 too; there is one error, [`RouteError::NoRoute`](crate::stack::RouteError::NoRoute), or what is wrong with the NIC | `j12_` |
//! | J13 | the first row that fits, with a NIC and a source | changed | the longest prefix that fits, then the least metric, then the first; if none does, the error of the nearest | `j13_` |
//! | J14 | no remote address: the local one; the gateway only for what needs a route | changed | there is no route to nobody; the gateway as there | `j14_` |
//! | J15 | a route to its own local address only loops | kept | to any address of its NIC, and so do the NIC's answers; on a loopback link the link brings it back. Loopback addresses of others, groups of the interface alone and packets without a hop are on no link (RFC 1122 sections 3.2.1.3 and 3.2.1.7, RFC 4291 section 2.7) | `j15_` |
//! | J16 | the table is set as a whole, and the caller's slice kept | changed | rows are added and removed, one by one or in a transaction; what is read is a copy | `j16_` |
//! | J17 | sending: expired fails, errors counted, sent bytes without the network header, also if only looped | changed | BUG 18: the link counts whole frames when it takes them, and what only loops is not sent; no room is counted `unsent` | `j17_` |
//! | J18 | IPv4 over the MTU is fragmented, IPv6 not | kept | IPv6 [on request](crate::stack::SourceFragmentation); the MTU is the path's, as routers report it (RFC 1191, 8201); echo replies are as large as their requests, in fragments that the NIC takes | `j18_` |
//! | J19 | resolving: known, in progress or failed | kept | [`Resolution`](crate::stack::Resolution); what is sent meanwhile waits; an event tells the end | `j19_` |
//! | J20 | header-included packets: IPv4 fields filled in, others not supported | changed | not there: [`Nic::send`](crate::stack::Nic::send) sends a whole frame as it is made, of any protocol | `j20_` |
//!
//! # K. Transport dispatch
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | K1 | a transport that the stack lacks: counted, without an error, not shown to raw sockets | changed | raw sockets of any protocol see it, and then it is delivered; otherwise the handler's, and if it refuses, protocol unreachable or parameter problem (RFC 1122 section 3.2.2.1, RFC 8200 section 4) | `k1_` |
//! | K2 | raw sockets first, before any check of the transport; no delivery | kept | whole datagrams, not fragments; of a protocol without ports it is delivery, if nobody else takes the packet | `k2_` |
//! | K3 | shorter than the transport header: malformed | kept | `transport_truncated`, also if the length field does not fit | `k3_` |
//! | K4 | found by destination and source, addresses and ports | kept | | `k4_` |
//! | K5 | the full tuple, any local address, any remote, the port alone; UDP to a group or 255.255.255.255: all | kept | broadcasts of subnets too (F2) | `k5_` |
//! | K6 | sockets of the NIC before those of none; none for this NIC: dropped in silence | changed | BUG 19: the search goes on with the less specific, and ends as a port that nobody has | `k6_` |
//! | K7 | port reuse: a flow sticks to one, groups and broadcasts go to all | kept | by rendezvous hashing with a secret seed: one that closes moves only its own flows | `k7_` |
//! | K8 | the second receiver of a group's packet gets one that is trimmed | changed | BUG 20: each has a frame of its own | `k8_` |
//! | K9 | nobody has the port: counted for UDP | changed | `unknown_port`, for TCP too; a wrong checksum is `transport_checksum` | `k9_` |
//! | K10 | then the default handler of the protocol; false: K11 | changed | one handler for all protocols; [`refuse`](crate::stack::Packet::refuse) is its false | `k10_` |
//! | K11 | then the protocol's answer to an unknown destination | kept | TCP: a reset (RFC 9293 section 3.10.7.1), not to groups or broadcasts | `k11_` |
//! | K12 | port unreachable, of 576 or 1,280 bytes at most; silence for groups, broadcasts and from nobody; 1,000 in a second, 50 at once | kept | the limit has jitter and is divided by workers, out of whose shares the control thread sends its own; no error about errors (RFC 1122 section 3.2.2, RFC 4443 section 2.4) | `k12_` |
//! | K13 | raw sockets and errors have the transport part twice | changed | BUG 21: once | `k13_` |
//! | K14 | the same identity twice is in use, unless both share; a failure undoes; no sharing with a remote; other NICs do not clash | kept | chosen ports are nobody else's, in whatever way he is bound (RFC 6056) | `k14_` |
//! | K14b | the NIC that is named when a socket is registered counts for nothing; only binding it to a device does | kept | there is one NIC to name, and it binds | `k14b_` |
//! | K15 | a raw socket of an unknown protocol is not supported; taking one back panics | changed | any protocol; dropping the handle closes it, once | `k15_` |
//! | K16 | length checked, checksum not; full and closed are told apart; readers are told when there is something | changed | the checksum is verified: absent in IPv4 only (RFC 768, RFC 8200 section 8.1); a queue for each worker, of datagrams; the bell rings once for a burst | `k16_` |
//! | K17 | bound to a unicast address that is not local: bad local address; groups and broadcasts are not checked; twice is an error | kept | broadcasts are those of our subnets, and 255.255.255.255; a socket is bound when it is made | `k17_` |
//!
//! # L. Control packets
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | L1 | an error that quotes too little is dropped, not counted | changed | counted: `errors_ignored` | `l1_` |
//! | L2 | the quoted packet was sent from here: its source is the local side | kept | | `l2_` |
//! | L3 | one best hit, of the receiving NIC first | kept | of those that share a port, the one that the answers go to | `l3_` |
//! | L4 | port unreachable and too big are passed up, if the quoted source is the address that the error came to; a first fragment's header is skipped | changed | host and network unreachable too; too big only of less than the packet was, and only if such a packet, no shorter, was sent there by a route or a socket within the last minute, from the same address, of the same protocol and, for UDP, from a socket that is there and to the same port ([limits](super::limits)): then it lowers the [path MTU](crate::stack::Stack::path_mtu) for ten minutes, not under 552 or 1,280 (RFC 1191, RFC 8201) | `l4_` |
//! | L5 | echo: counted, handed up, answered; ICMPv4 with a wrong checksum is handed up, ICMPv6's is not verified | changed | verified in both, and dropped as `icmp_checksum`; raw sockets see it. The reply has none of the request's IPv4 options, as there, and of its IPv6 extension headers (RFC 8200 section 8.4, RFC 8021); it counts as sent if there was room for all of its fragments | `l5_` |
//! | L6 | short and unknown ones are invalid; each known type has its counter | kept | so are those with a wrong checksum, and those of neighbor and listener discovery that break its rules | `l6_` |
//!
//! # M. NIC creation, link attach
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | M1 | a number that is in use is refused; names are not checked | changed | the engine gives the numbers; names are what people write, so that two present NICs cannot share one | `m1_` |
//! | M2 | enabling attaches first and leaves what was done if something fails | changed | BUG 27: what fails changes nothing | `m2_` |
//! | M3 | a disabled NIC takes addresses, ranges and joins | kept | | `m3_` |
//! | M4 | enabling again is an error, after attaching again | changed | BUG 27: nothing happens | `m4_` |
//! | M5 | a link delivers from any number of threads | changed | through queues: one thread per queue, any number of queues | `m5_` |
//! | M6 | no removal or disabling | changed | both, while traffic runs | `m6_` |
//! | M7 | writing to an unknown NIC fails; link errors pass through | changed | typed; the link's errors come as [`LinkFailed`](crate::stack::Event::LinkFailed), since sending is not the caller's thread | `m7_` |
//! | M8 | a loopback link delivers at once | changed | through a ring, in the next poll; a raw frame without an Ethernet header is refused | `m8_` |
//! | M9 | a channel link drops silently when full | changed | counted: `send_dropped`, or the frame stays with the caller | `m9_` |
//!
//! # N. Stats and info
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | N1 | per NIC: sent and received packets and bytes | changed | those, frames' bytes, and every other fate of a frame; per worker too; a copy is a copy | `n1_` |
//! | N2 | the stack's counters may be given | changed | there are none to give: a NIC's counters are read from it, and summed | `n2_` |
//! | N3 | NIC info: name, link address, addresses, MTU, flags | kept | methods of [`Nic`](crate::stack::Nic); the MTU is what fits a frame of the pool at most | `n3_` |
//! | N4 | protocol options by number | changed | typed configuration: an unknown one does not compile | `n4_` |
//! | N5 | an endpoint of an unknown transport: unknown protocol | changed | a socket's transport is its type; raw ones are of any protocol, and what no socket has goes to the handler | `n5_` |
//!
//! # O. Neighbors: link address cache, ARP
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | O1 | 512 entries, least recently used evicted; lives of a minute; 3 attempts a second apart; failures remembered for a minute | changed | 512, 3, a second and a minute stay ([`NeighborConfig`](crate::stack::NeighborConfig)); states and lives are those of RFC 4861 section 7.3, with the retries of RFC 7048. What never answered competes among itself, so that a scan evicts no neighbor (RFC 6583). 16 packets wait for each: of what comes together the newest; then workers drop what comes as `neighbor_full`, and the control plane is spared | `o1_` |
//! | O2 | groups and broadcasts have fixed link addresses | kept | those of subnets too (F2) | `o2_` |
//! | O3 | a miss starts one resolution, which all callers share; wakers fire on success, failure and eviction; without a resolver: no link address | kept | [`Stack::wait_for_neighbor`](crate::stack::Stack::wait_for_neighbor) gives each caller one answer; also when the neighbor is removed, or its NIC goes | `o3_` |
//! | O4 | removing a waker removes nothing | changed | BUG 22: dropping the [`NeighborWait`](crate::stack::NeighborWait) removes it | `o4_` |
//! | O5 | requests for local addresses are answered; requests and replies fill the cache, requests for others do not; "arp" has to be added as an address | changed | every IPv4 NIC takes part. Requests for own addresses fill the cache; replies and requests for others update what is there (RFC 826) and add nothing, so that nobody is told unasked. Probes are answered, claims of an own address told as a conflict (RFC 5227); announcements are sent if [asked for](crate::stack::NicConfig::arp_announcements) | `o5_` |
//!
//! # P. Concurrency
//!
//! | number | behaviour | | why, and what is different | test |
//! |---|---|---|---|---|
//! | P1 | all operations beside delivery; no lock is held while somebody else's code runs | kept | BUG 1, 24, 25 | `p1_` |
//! | P2 | a lookup before a removal may still deliver; none that starts later | kept | | `p2_` |
//! | P3 | two first packets to an unowned address: never two endpoints at once | kept | | `p3_` |
//! | P4 | adding beside the last release ends with one live permanent endpoint | kept | | `p4_` |
//! | P5 | closing happens under the lock, at once | changed | when no worker can see the endpoint, as an event, without a lock | `p5_` |
//! | P6 | the order of the locks | changed | one lock per NIC, none while sending or calling out; transactions of several NICs are nested by the embedder, in an order of his | `p6_` |
//!
//! # Defects
//!
//! Those of that version that concern what is built, and the tests that hold them mended.
//!
//! | bug | defect | here | test |
//! |---|---|---|---|
//! | 1 | sends with the lock held: a link that delivers at once deadlocks | nothing is sent with a lock held | `bug01` |
//! | 2 | leaving or removing the solicited-node group during detection: panic | users cannot take it away | `bug02` |
//! | 3 | removing reports an error if the group was left | as 2 | `bug03` |
//! | 4 | temporary IPv6 endpoints join groups for ever | they join none | `bug04` |
//! | 5 | a held address never leaves its group | left at the removal | `bug05` |
//! | 6 | a tentative address receives | never | `bug06` |
//! | 7 | a tentative address is a source | never | `bug07` |
//! | 8 | promotion ignores the new configuration | takes it | `bug08` |
//! | 9 | a send error leaves an address tentative for ever | the probe is sent again | `bug09` |
//! | 10 | temporary endpoints become sources | never | `bug10` |
//! | 11 | joins and addresses drift apart | counted apart | `bug11` |
//! | 12 | a packet for another NIC's address is delivered under its primary one | to the address itself | `bug12` |
//! | 13 | fragments to temporary endpoints are never put together | reassembly is per worker, whoever the address is of | `bug13` |
//! | 14 | endpoints of all protocols do not see those that the stack lacks, nor frames of NICs that come later | they do | `bug14` |
//! | 15 | replies to 255.255.255.255 loop | dropped as `martian` | `bug15` |
//! | 16 | forwarding: no hop less, no MTU, wrong link addresses, no gateway | as RFC 1812 and 8200 say | `bug16` |
//! | 17 | no IPv4 header checksum, no check of sources | both | `bug17` |
//! | 18 | sent bytes with or without the network header | whole frames, where the link takes them | `bug18` |
//! | 19 | a socket of another NIC swallows a packet | the search goes on | `bug19` |
//! | 20 | the second receiver of a group's datagram gets it trimmed | each has a frame of its own | `bug20` |
//! | 21 | raw sockets and ICMP errors have the transport part twice | once | `bug21` |
//! | 22 | removing a waker never removes it | it does, by dropping what waits | `bug22` |
//! | 23 | the list of packet endpoints is changed under its readers: lost and doubled deliveries | it is part of the published snapshots | `bug23` |
//! | 24 | the table is read without the lock while it changes | workers read published snapshots | `bug24` |
//! | 25 | modes are read without the lock | in the same snapshots | `bug25` |
//! | 26 | detection begins on disabled NICs | when they are enabled | `bug26` |
//! | 27 | enabling twice, or with an error, leaves things half done | idempotent, all or nothing | `bug27` |
//! | 28 | errors ignored while a temporary endpoint is made; a lock per packet | no endpoint is made per packet, no lock taken | `bug28` |
