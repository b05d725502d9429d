use std::fmt;

/// What is to be done (RFC 7252, section 5.8; RFC 8132).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Give a representation.
    Get,
    /// Process this.
    Post,
    /// Be like this.
    Put,
    /// Be gone.
    Delete,
    /// Give a representation of what the body asks for.
    Fetch,
    /// Change so.
    Patch,
    /// Change so; twice is the same as once.
    IPatch,
}

impl Method {
    const ALL: [Self; 7] = [
        Self::Get,
        Self::Post,
        Self::Put,
        Self::Delete,
        Self::Fetch,
        Self::Patch,
        Self::IPatch,
    ];

    /// The method with a code of class 0.
    pub(super) fn of(code: u8) -> Option<Self> {
        let index = usize::from(code).checked_sub(1)?;
        Self::ALL.get(index).copied()
    }
}

/// How a request went: class and detail, as in `4.04` (RFC 7252, section 5.9).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u8);

impl Code {
    pub(super) const EMPTY: Self = Self(0);
    /// 2.03: what the client has is still right.
    pub const VALID: Self = Self::new(2, 3);
    /// 2.05: here it is.
    pub const CONTENT: Self = Self::new(2, 5);
    pub(super) const CONTINUE: Self = Self::new(2, 31);
    /// 4.00: it cannot be understood.
    pub const BAD_REQUEST: Self = Self::new(4, 0);
    pub(super) const BAD_OPTION: Self = Self::new(4, 2);
    /// 4.03: not to whoever asks.
    pub const FORBIDDEN: Self = Self::new(4, 3);
    pub(super) const METHOD_NOT_ALLOWED: Self = Self::new(4, 5);
    pub(super) const INCOMPLETE: Self = Self::new(4, 8);
    /// 4.12: it is not as the client expects it.
    pub const PRECONDITION_FAILED: Self = Self::new(4, 12);
    pub(super) const TOO_LARGE: Self = Self::new(4, 13);
    /// 5.00: it is the server's fault.
    pub const SERVER_ERROR: Self = Self::new(5, 0);
    /// 5.03: not now.
    pub const UNAVAILABLE: Self = Self::new(5, 3);
    pub(super) const NO_PROXY: Self = Self::new(5, 5);

    /// Class (at most 7) and detail (at most 31).
    pub const fn new(class: u8, detail: u8) -> Self {
        Self((class & 7) << 5 | detail & 31)
    }

    pub(super) const fn number(self) -> u8 {
        self.0
    }

    /// Whether it went well.
    pub const fn is_success(self) -> bool {
        self.0 >> 5 == 2
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 >> 5, self.0 & 31)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
