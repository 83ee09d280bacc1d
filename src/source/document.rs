//! Documents that rows of a snapshot were, whether this build can read them or not.

/// The encoded `_id` of a document for people. A build without MongoDB support meets one only in what another build
/// wrote, and shows its bytes.
pub fn id_text(id: &[u8]) -> String {
    #[cfg(feature = "mongodb")]
    return super::mongodb::id::text(id);
    #[cfg(not(feature = "mongodb"))]
    return format!("0x{}", crate::durable::hex(id));
}
