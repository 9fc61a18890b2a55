//! The smux byte pipe: however it is cut into pieces, the same items come out.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ssm_proto::StreamId;
use ssm_proto::smux::{FrameDecoder, FrameError, Item};

/// Items with pieces of data of one stream joined, and the error that ended them.
#[derive(Debug, Default, PartialEq)]
struct Decoded {
    items: Vec<Item>,
    error: Option<FrameError>,
}

impl Decoded {
    fn of(pieces: impl Iterator<Item = Bytes>) -> Self {
        let (mut decoder, mut decoded) = (FrameDecoder::default(), Self::default());
        for mut piece in pieces {
            loop {
                match decoder.decode(&mut piece) {
                    Ok(Some(item)) => decoded.push(item),
                    Ok(None) => break,
                    Err(error) => {
                        decoded.error = Some(error);
                        return decoded;
                    }
                }
            }
        }
        decoded
    }

    fn push(&mut self, item: Item) {
        if let (Some(Item::Data(last, joined)), Item::Data(stream, data)) = (self.items.last_mut(), &item)
            && *last == *stream
        {
            assert!(!data.is_empty(), "data that is none");
            *joined = [&joined[..], &data[..]].concat().into();
            return;
        }
        self.items.push(item);
    }
}

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (pipe, cuts) = input;
    let whole = Decoded::of(std::iter::once(Bytes::from(pipe.clone())));
    let mut rest = Bytes::from(pipe);
    let mut cuts = cuts.into_iter().cycle();
    let pieces = std::iter::from_fn(|| {
        let len = cuts.next().map_or(1, usize::from).clamp(1, rest.len().max(1)).min(rest.len());
        (!rest.is_empty()).then(|| rest.split_to(len))
    });
    assert_eq!(Decoded::of(pieces), whole);
    let carried: usize =
        whole.items.iter().map(|item| if let Item::Data(_, data) = item { data.len() } else { 0 }).sum();
    assert!(carried <= whole.items.len() * usize::from(u16::MAX) || whole.items.iter().any(is_data));
});

fn is_data(item: &Item) -> bool {
    matches!(item, Item::Data(StreamId(_), _))
}
