//! Enums whose variants have names and descriptions.

/// Declares one: each variant with its label and description, in one place.
macro_rules! labelled {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident => $label:literal, $description:literal;)*
        }
    ) => {
        $(#[$meta])*
        #[repr(u8)]
        pub enum $name {
            $(#[doc = $description] $(#[$variant_meta])* $variant,)*
        }

        impl $name {
            /// Every one, in their order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in reports and metrics, in snake case.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// One sentence for people.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $description,)* }
            }
        }
    };
}

pub(crate) use labelled;
