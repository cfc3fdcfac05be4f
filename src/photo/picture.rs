//! From a file that anybody may have sent to a JPEG of our own making. Pure, slow, hungry: run it apart and a few at a time.
//!
//! What a hostile file can cost is bounded before it is decoded: its pixels and the bytes they take by its header, the
//! passes over a JPEG by a walk along its markers.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage};

/// The longest side of what is kept, in pixels.
const LONGEST_SIDE: u32 = 1_600;
/// The most pixels of what is sent.
pub const MOST_PIXELS: u64 = 50_000_000;
/// The longest side of what is sent.
const MOST_SIDE: u32 = 20_000;
/// The most bytes that the pixels may take in memory.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// Passes over a JPEG. Cameras make one, progressive encoders about ten; each may cost as much as the whole picture.
const MOST_SCANS: usize = 40;
const QUALITY: u8 = 82;

/// Why a file is no photo for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Not a whole JPEG, PNG or WebP.
    Unreadable,
    /// More pixels than are taken.
    TooLarge,
}

impl From<ImageError> for Unfit {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Limits(_) => Self::TooLarge,
            _ => Self::Unreadable,
        }
    }
}

/// A photo as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Without any metadata.
    pub jpeg: Vec<u8>,
    pub width: u32,
    pub height: u32,
}

/// How many pixels the file promises, by its header alone.
///
/// # Errors
/// See [`Unfit`].
pub fn pixels(file: &[u8]) -> Result<u64, Unfit> {
    let (width, height) = open(file)?.into_dimensions()?;
    measured(width, height)
}

fn measured(width: u32, height: u32) -> Result<u64, Unfit> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(Unfit::Unreadable);
    }
    if pixels > MOST_PIXELS || width.max(height) > MOST_SIDE {
        return Err(Unfit::TooLarge);
    }
    Ok(pixels)
}

/// Decodes the file, turns it the right way up, makes it small and writes it anew.
///
/// # Errors
/// See [`Unfit`].
pub fn develop(file: &[u8]) -> Result<Picture, Unfit> {
    let mut decoder = open(file)?.into_decoder()?;
    let (width, height) = decoder.dimensions();
    measured(width, height)?;
    if decoder.total_bytes() > MOST_BYTES {
        return Err(Unfit::TooLarge);
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder)?;
    if width.max(height) > LONGEST_SIDE {
        picture = picture.thumbnail(LONGEST_SIDE, LONGEST_SIDE);
    }
    picture.apply_orientation(orientation);
    let picture = on_white(&picture);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&picture)?;
    Ok(Picture { jpeg, width: picture.width(), height: picture.height() })
}

/// A reader for what the file is, whatever its name says.
fn open(file: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, Unfit> {
    let format = image::guess_format(file)?;
    match format {
        ImageFormat::Jpeg => whole_jpeg(file)?,
        ImageFormat::Png | ImageFormat::WebP => {}
        _ => return Err(Unfit::Unreadable),
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_SIDE);
    limits.max_image_height = Some(MOST_SIDE);
    limits.max_alloc = Some(MOST_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    reader.limits(limits);
    Ok(reader)
}

/// JPEG knows no transparency.
fn on_white(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let rgba = picture.to_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [red, green, blue, alpha] = rgba.get_pixel(x, y).0;
        let over = |part: u8| {
            let mixed = (u16::from(part) * u16::from(alpha) + 255 * (255 - u16::from(alpha))) / 255;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        Rgb([over(red), over(green), over(blue)])
    })
}

/// Walks along the markers of a JPEG to its end: the decoder fills what is missing with grey and takes any number of scans.
fn whole_jpeg(file: &[u8]) -> Result<(), Unfit> {
    let byte = |at: usize| file.get(at).copied().ok_or(Unfit::Unreadable);
    let (mut at, mut scans) = (2, 0);
    loop {
        // To the next marker: within a scan past stuffed bytes and restarts, elsewhere past what decoders skip as well.
        while byte(at)? != 0xFF || matches!(byte(at + 1)?, 0x00 | 0xD0..=0xD7 | 0xFF) {
            at += 1;
        }
        let marker = byte(at + 1)?;
        at += 2;
        match marker {
            0xD9 => return Ok(()),
            0x01 | 0xD8 => {}
            _ => {
                let length = usize::from(u16::from_be_bytes([byte(at)?, byte(at + 1)?]));
                if length < 2 {
                    return Err(Unfit::Unreadable);
                }
                at += length;
                scans += usize::from(marker == 0xDA);
                if scans > MOST_SCANS {
                    return Err(Unfit::TooLarge);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gradient(width: u32, height: u32) -> DynamicImage {
        let shade = |part: u32, of: u32| u8::try_from(part * 255 / of).unwrap();
        RgbImage::from_fn(width, height, |x, y| Rgb([shade(x, width), shade(y, height), 128])).into()
    }

    fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        picture.write_to(&mut out, format).unwrap();
        out.into_inner()
    }

    /// An EXIF segment that says how to turn the picture and where it was taken.
    fn with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x02".to_vec();
        tiff.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]); // orientation
        tiff.extend([0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 38]); // GPS
        tiff.extend([0, 0, 0, 0]);
        tiff.extend(b"GPS 39.9333N 119.6000E");
        let mut out = jpeg[..2].to_vec();
        out.extend([0xFF, 0xE1]);
        out.extend(u16::try_from(tiff.len() + 8).unwrap().to_be_bytes());
        out.extend(b"Exif\0\0");
        out.extend(&tiff);
        out.extend(&jpeg[2..]);
        out
    }

    #[test]
    fn a_photo_of_each_kind_becomes_a_small_jpeg() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
            let sent = file(&gradient(2_400, 1_200), format);
            assert_eq!(pixels(&sent), Ok(2_880_000));
            let kept = develop(&sent).unwrap();
            assert_eq!((kept.width, kept.height), (1_600, 800), "{format:?}");
            let again = image::load_from_memory_with_format(&kept.jpeg, ImageFormat::Jpeg).unwrap();
            assert_eq!((again.width(), again.height()), (1_600, 800));
            assert_eq!(develop(&sent).unwrap(), kept, "the same file gives the same bytes");
        }
        let small = develop(&file(&gradient(30, 40), ImageFormat::Png)).unwrap();
        assert_eq!((small.width, small.height), (30, 40));
    }

    #[test]
    fn it_stands_upright_and_says_no_place() {
        let sent = with_exif(&file(&gradient(60, 40), ImageFormat::Jpeg), 6);
        assert!(sent.windows(3).any(|part| part == b"GPS"));
        let kept = develop(&sent).unwrap();
        assert_eq!((kept.width, kept.height), (40, 60));
        assert!(!kept.jpeg.windows(3).any(|part| part == b"GPS") && !kept.jpeg.windows(4).any(|part| part == b"Exif"));
    }

    #[test]
    fn what_is_behind_a_picture_is_left_behind() {
        let mut sent = file(&gradient(20, 20), ImageFormat::Jpeg);
        sent.extend(b"PK\x03\x04<script>alert(1)</script>");
        let kept = develop(&sent).unwrap();
        assert!(!kept.jpeg.windows(8).any(|part| part == b"<script>"));
    }

    #[test]
    fn what_can_be_seen_through_lies_on_white() {
        let clear: DynamicImage = image::RgbaImage::from_pixel(8, 8, image::Rgba([0, 0, 0, 0])).into();
        let kept = develop(&file(&clear, ImageFormat::Png)).unwrap();
        let seen = image::load_from_memory(&kept.jpeg).unwrap().to_rgb8();
        assert!(seen.pixels().all(|pixel| pixel.0.iter().all(|part| *part > 250)));
    }

    #[test]
    fn a_broken_file_is_told() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
            let whole = file(&gradient(400, 300), format);
            for part in [10, 100, whole.len() / 2, whole.len() - 40] {
                assert_eq!(develop(&whole[..part]).map(drop), Err(Unfit::Unreadable), "{format:?} cut at {part}");
            }
        }
        for no_photo in
            [&b""[..], b"\xff", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a\x01\0\x01\0", b"BM", b"%PDF-1.7"]
        {
            assert_eq!(develop(no_photo).map(drop), Err(Unfit::Unreadable));
        }
    }

    /// A PNG that is nothing but a header.
    fn bomb(width: u32, height: u32) -> Vec<u8> {
        let mut png = file(&gradient(1, 1), ImageFormat::Png);
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = png[12..29].iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
        });
        png[29..33].copy_from_slice(&(!crc).to_be_bytes());
        png
    }

    #[test]
    fn a_bomb_is_not_opened() {
        for (width, height) in [(30_000, 30_000), (10_000, 10_000), (50_001, 1_000), (u32::MAX >> 1, 1), (20_001, 1)] {
            assert_eq!(pixels(&bomb(width, height)), Err(Unfit::TooLarge), "{width} × {height}");
            assert_eq!(develop(&bomb(width, height)).map(drop), Err(Unfit::TooLarge));
        }
        assert_eq!(pixels(&bomb(7_000, 7_000)), Ok(49_000_000));
        assert_eq!(develop(&bomb(100, 100)).map(drop), Err(Unfit::Unreadable));
    }

    #[test]
    fn a_jpeg_of_endless_passes_is_refused() {
        let jpeg = file(&gradient(16, 16), ImageFormat::Jpeg);
        let start = jpeg.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
        let (head, scan) = jpeg.split_at(start);
        let scan = &scan[..scan.len() - 2];
        let mut sent = head.to_vec();
        (0..=MOST_SCANS).for_each(|_| sent.extend(scan));
        sent.extend([0xFF, 0xD9]);
        assert_eq!(develop(&sent).map(drop), Err(Unfit::TooLarge));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever is done to a file: an answer, no panic.
        #[test]
        fn a_spoilt_file_never_panics(
            kind in 0..3_usize, flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        ) {
            let format = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP][kind];
            let mut sent = file(&gradient(40, 30), format);
            for (at, byte) in flips {
                let at = at.index(sent.len());
                sent[at] = byte;
            }
            let _ = develop(&sent);
        }
    }
}
