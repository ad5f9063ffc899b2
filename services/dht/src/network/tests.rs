use libp2p::identity::PublicKey;
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::*;

/// The multihash codes of a peer id: the public key itself if it is short, else its SHA-256.
const IDENTITY: u64 = 0x00;
const SHA2_256: u64 = 0x12;

/// Public keys as peers send them, made by go-libp2p. Whose id is a hash has one of the first two kinds; RSA is far more
/// common, and nothing tells them apart from outside.
const HASHED: [(&str, &str, &str); 2] = [
    (
        "RSA",
        "QmSoo9Xvw7ZMWkho15ZHhdy6UZ4kUy3Nc3D7MMPRXS4AQd",
        "\
        080012a60230820122300d06092a864886f70d01010105000382010f003082010a0282010100a9d7ab8e2e4de0d2767b5f1f3219\
        0a2012e9e3b000bb803f1c4626a84a0a9e5f82b45fd91fd86f73963fd79ca42faa3466e559176aa8c2fb87f8f36ac37bd687b1d8\
        2bad85f8e3c61ca1648f991c69fcaff37e6a85b23b9ae3f76b53267bb51c42c799ded49527e3b7f56b5275d83137d372872411c5\
        462a9afb68d53aa1e43e38b9a12e608291b3ba46ce9a12e220bb848180f082ffc77775dfe73de9f0ef38494e54e19356ebbd89b3\
        077849b8b1498417906bb353befb1cbd4c629d6439060003b45f3a15fc1508006b85f1fa5c39fbca18de9a6151d82ddd4ae603f0\
        7049f972f94b727de10695a4f62f016d8516acaca630b43032e7b5f66298f42829a90203010001",
    ),
    (
        "ECDSA",
        "Qmb8SHiTJ1Km13Cf777iTsUkkYHAAMRKnWUfTV4ZCmUWn3",
        "\
        0803125b3059301306072a8648ce3d020106082a8648ce3d030107034200047870a2b60f2977eb37560319e602fc20ed57639256\
        a3e0e9b75c6471092c34f7b6ed5a83fc7bb82138151e8363ea76c9f33651577baf633474f37fadeb6b4bcd",
    ),
];

/// Bytes written in hexadecimal.
fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// Whether this build can read the key that whoever has this id will send: without it there is no handshake, over TCP or
/// QUIC. A key type that is not compiled in fails here, at run time, as it would in the field.
fn can_speak_to(peer: &PeerId) -> Result<(), String> {
    let id = peer.as_ref();
    let is_key_of = |key: &[u8]| match PublicKey::try_decode_protobuf(key) {
        Ok(key) => Ok(key.to_peer_id()),
        Err(error) => Err(error.to_string()),
    };
    match id.code() {
        IDENTITY if is_key_of(id.digest())? == *peer => Ok(()),
        SHA2_256 => HASHED.iter().try_for_each(|(kind, known, key)| match is_key_of(&bytes(key)) {
            Ok(read) if read.to_string() == *known => Ok(()),
            other => Err(format!("{kind}: {other:?}")),
        }),
        code => Err(format!("multihash {code:#x}")),
    }
}

/// Every network by its name, as anybody gets it.
fn all() -> impl Iterator<Item = Network> {
    NETWORKS.iter().map(|(name, ..)| {
        let (project, network) = name.split_once('/').unwrap();
        Network::named(project, network).unwrap()
    })
}

#[test]
fn every_network_has_protocols_to_speak_and_peers_to_join_through() {
    for network in all() {
        assert!(!network.protocols.is_empty() && !network.bootstrap.is_empty(), "{network:?}");
        for protocol in network.protocols {
            StreamProtocol::try_from_owned(protocol).unwrap();
        }
    }
}

#[test]
fn this_build_can_speak_to_every_bootstrap_peer_of_every_network() {
    for Network { name, bootstrap, .. } in all() {
        for text in bootstrap {
            let address: Multiaddr = text.parse().unwrap();
            let (peer, _) = crate::wire::addresses::split_peer(&address).unwrap_or_else(|| panic!("{name}: {text}"));
            can_speak_to(&peer).unwrap_or_else(|reason| panic!("{name}: {text}: {reason}"));
        }
    }
}

#[test]
fn every_network_names_a_peer_that_can_be_dialled() {
    for Network { name, bootstrap, .. } in all() {
        let can_be_dialled = |text: &String| {
            let (_, address) = crate::wire::addresses::split_peer(&text.parse().unwrap()).unwrap();
            crate::wire::addresses::is_dialable(&address) || crate::wire::addresses::is_dnsaddr(&address)
        };
        assert!(bootstrap.iter().any(can_be_dialled), "{name}: {bootstrap:?}");
    }
}

#[test]
fn a_network_whose_peers_speak_several_protocols_names_them_in_the_order_of_the_original() {
    let polkadot = Network::named("polkadot", "mainnet").unwrap();
    let by_genesis = "/91b171bb158e2d3848fa23a9f1c25182fb8e20313b2c1eb49219da7a70ce90c3/kad";
    assert_eq!(polkadot.protocols, ["/dot/kad", by_genesis]);
}

#[test]
fn mainnet_is_another_name_of_amino() {
    assert_eq!(Network::named("ipfs", "mainnet"), Network::named("IPFS", "amino"));
}

#[test]
fn an_unknown_network_is_named_together_with_the_known_ones() {
    let message = Network::named("ipfs", "nonet").unwrap_err().to_string();
    assert!(message.contains("`ipfs/nonet`") && message.contains("filecoin/calibnet"), "{message}");
}
