//! Names of elements and attributes, stored once.

/// A name's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Symbol(pub(super) u32);

const EMPTY: u32 = u32::MAX;

/// A table of names: a fixed hash, open addressing, no iteration over the table.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    texts: Vec<Box<str>>,
    hashes: Vec<u32>,
    buckets: Vec<u32>,
}

impl Default for Names {
    fn default() -> Self {
        Names { texts: Vec::new(), hashes: Vec::new(), buckets: vec![EMPTY; 256] }
    }
}

impl Names {
    /// How many names there are.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The name of a symbol.
    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        &self.texts[symbol.0 as usize]
    }

    /// The symbol of a name that is there.
    pub(crate) fn find(&self, text: &str) -> Option<Symbol> {
        self.slot(text, hash(text)).ok()
    }

    /// The symbol of a name, added if it is new. The caller has checked that it is a name.
    pub(crate) fn intern(&mut self, text: &str) -> Symbol {
        let hash = hash(text);
        match self.slot(text, hash) {
            Ok(symbol) => symbol,
            Err(bucket) => self.add(text, hash, bucket),
        }
    }

    fn add(&mut self, text: &str, hash: u32, bucket: usize) -> Symbol {
        let symbol = self.texts.len() as u32;
        self.texts.push(text.into());
        self.hashes.push(hash);
        self.buckets[bucket] = symbol;
        if self.texts.len() * 2 > self.buckets.len() {
            self.grow();
        }
        Symbol(symbol)
    }

    fn grow(&mut self) {
        let size = self.buckets.len() * 2;
        self.buckets = vec![EMPTY; size];
        for (symbol, hash) in self.hashes.iter().enumerate() {
            let mut bucket = *hash as usize & (size - 1);
            while self.buckets[bucket] != EMPTY {
                bucket = (bucket + 1) & (size - 1);
            }
            self.buckets[bucket] = symbol as u32;
        }
    }

    /// The symbol, or the free bucket where it would go.
    fn slot(&self, text: &str, hash: u32) -> Result<Symbol, usize> {
        let mask = self.buckets.len() - 1;
        let mut bucket = hash as usize & mask;
        loop {
            let symbol = self.buckets[bucket];
            if symbol == EMPTY {
                return Err(bucket);
            }
            if self.hashes[symbol as usize] == hash && *self.texts[symbol as usize] == *text {
                return Ok(Symbol(symbol));
            }
            bucket = (bucket + 1) & mask;
        }
    }
}

fn hash(text: &str) -> u32 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = text.len() as u64;
    let mut chunks = text.as_bytes().chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        state = (state ^ word).wrapping_mul(FACTOR).rotate_left(29);
    }
    for byte in chunks.remainder() {
        state = (state ^ u64::from(*byte)).wrapping_mul(FACTOR).rotate_left(29);
    }
    (state.wrapping_mul(FACTOR) >> 32) as u32
}
