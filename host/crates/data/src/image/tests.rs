use super::*;
use image::{ExtendedColorType, ImageEncoder, codecs};

fn png(width: u32, height: u32, color: ExtendedColorType, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    codecs::png::PngEncoder::new(&mut bytes).write_image(data, width, height, color).expect("encodes");
    bytes
}

/// Decodes with the default limit.
fn decoded(bytes: &[u8]) -> Result<Picture, String> {
    decode(bytes, ImageConfig::default().max_pixels)
}

fn plain(config: ImageConfig) -> Transform {
    Transform::new(&config, &InputDefaults::default())
}

#[test]
fn transparency_is_laid_over_white() {
    let data = [255, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 128, 10, 20, 30, 51];
    let picture = decoded(&png(4, 1, ExtendedColorType::Rgba8, &data)).expect("decodes");
    // 255 * (1 - 128/255) = 127; 10 * 0.2 + 255 * 0.8 = 206 and so on.
    assert_eq!(picture.pixels, [255, 0, 0, 255, 255, 255, 127, 127, 127, 206, 208, 210]);
}

#[test]
fn grey_and_16_bit_pictures_become_rgb() {
    let picture = decoded(&png(2, 1, ExtendedColorType::L8, &[7, 250])).expect("decodes");
    assert_eq!(picture.pixels, [7, 7, 7, 250, 250, 250]);
    let data: Vec<u8> = [0u16, 65535, 257 * 100].iter().flat_map(|v| v.to_ne_bytes()).collect();
    let picture = decoded(&png(1, 1, ExtendedColorType::Rgb16, &data)).expect("decodes");
    assert_eq!(picture.pixels, [0, 255, 100]);
}

#[test]
fn exif_orientation_turns_the_picture_upright() {
    // Orientation 6: the first row is the right side. 2 x 1, left black, right white.
    let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend(0x0112u16.to_le_bytes());
    exif.extend(3u16.to_le_bytes());
    exif.extend(1u32.to_le_bytes());
    exif.extend(6u32.to_le_bytes());
    exif.extend([0; 4]);
    let mut bytes = Vec::new();
    let mut encoder = codecs::png::PngEncoder::new(&mut bytes);
    encoder.set_exif_metadata(exif).expect("png holds exif");
    encoder.write_image(&[0, 255], 2, 1, ExtendedColorType::L8).expect("encodes");
    let picture = decoded(&bytes).expect("decodes");
    assert_eq!((picture.width, picture.height), (1, 2));
    assert_eq!(picture.pixels, [0, 0, 0, 255, 255, 255]);
}

#[test]
fn what_is_no_picture_is_said_in_words() {
    assert!(decoded(b"").expect_err("empty").contains("0 bytes"));
    assert!(decoded(b"hello").expect_err("text").contains("none of the formats"));
    let mut bytes = png(8, 8, ExtendedColorType::L8, &[9; 64]);
    bytes.truncate(bytes.len() / 2);
    decoded(&bytes).expect_err("truncated");
}

/// A picture that does not compress away, in every format that is read.
fn in_every_format() -> Vec<(&'static str, Vec<u8>)> {
    let picture = image::RgbImage::from_fn(64, 48, |x, y| {
        let mixed = (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761);
        image::Rgb([(mixed >> 24) as u8, (mixed >> 16) as u8, (mixed >> 8) as u8])
    });
    use image::ImageFormat as Format;
    let formats = [
        ("png", Format::Png),
        ("jpg", Format::Jpeg),
        ("gif", Format::Gif),
        ("bmp", Format::Bmp),
        ("webp", Format::WebP),
        ("tif", Format::Tiff),
        ("ppm", Format::Pnm),
    ];
    let written = formats.map(|(name, format)| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("encodes");
        (name, bytes.into_inner())
    });
    written.to_vec()
}

#[test]
fn pictures_that_are_cut_off_are_refused_in_every_format() {
    for (name, bytes) in in_every_format() {
        let whole = decoded(&bytes).expect(name);
        assert_eq!((whole.width, whole.height), (64, 48), "{name}");
        for share in [0.3, 0.5, 0.75, 0.9] {
            let cut = &bytes[..(bytes.len() as f64 * share) as usize];
            let text = decoded(cut).expect_err("cut");
            assert!(text.contains("it is cut off"), "{share} of a .{name}: {text}");
        }
    }
}

#[test]
fn a_jpeg_is_whole_if_it_has_its_end() {
    let (_, jpeg) = in_every_format().remove(1);
    // As Pillow: without the last byte it is cut off; what follows the end is of no interest.
    for missing in [1, 2, 3, 40] {
        let text = decoded(&jpeg[..jpeg.len() - missing]).expect_err("cut");
        assert!(text.contains("cut off"), "{missing}: {text}");
    }
    decoded(&[&jpeg[..], b"more"].concat()).expect("something after the end");
    // A thumbnail inside has an end of its own.
    let thumbnail = [&jpeg[..2], b"\xff\xe1\x00\x08\xff\xd8\xff\xd9\xff\xd9", &jpeg[2..]].concat();
    decoded(&thumbnail).expect("a thumbnail");
    assert!(decoded(&thumbnail[..jpeg.len() / 2]).expect_err("cut").contains("cut off"));
    // Some cameras pad with 0xFF between segments.
    decoded(&[&jpeg[..2], b"\xff\xff", &jpeg[2..]].concat()).expect("padded");
}

#[test]
fn netpbm_pictures_are_read_as_pillow_reads_them() {
    // Numbers of Pillow 12: `Image.open(…).convert("RGB")`; those of more than 8 bits scaled to 8.
    for (bytes, levels) in [
        (&b"P1\n2 1\n0 1\n"[..], [255, 255, 255, 0, 0, 0]),
        (b"P4\n2 1\n\x40", [255, 255, 255, 0, 0, 0]),
        (b"P2\n# made by hand\n2 1\n15\n0 7\n", [0, 0, 0, 119, 119, 119]),
        (b"P5\n2 1\n15\n\x00\x07", [0, 0, 0, 119, 119, 119]),
        (b"P5 2 1 65535\n\x80\x80\xff\xff", [128, 128, 128, 255, 255, 255]),
        (b"P3 2 1 255 1 2 3 4 5 6", [1, 2, 3, 4, 5, 6]),
        (b"P6 2 1 100\n\x0a\x32\x64\x00\x00\x00", [26, 128, 255, 0, 0, 0]),
    ] {
        let picture = decoded(bytes).unwrap_or_else(|error| panic!("{bytes:?}: {error}"));
        assert_eq!((picture.width, picture.height), (2, 1));
        assert_eq!(picture.pixels, levels, "{}", String::from_utf8_lossy(bytes));
    }
    for name in ["a.ppm", "a.PGM", "a.pbm", "a.pnm"] {
        assert!(has_picture_extension(std::path::Path::new(name)), "{name}");
    }
}

#[test]
fn more_pixels_than_allowed_are_refused_before_they_are_decoded() {
    for (name, bytes) in in_every_format() {
        let text = decode(&bytes, 64 * 48 - 1).expect_err(name);
        assert!(text.contains("64 x 48") && text.contains("max_pixels"), "{name}: {text}");
        decode(&bytes, 64 * 48).expect(name);
    }
    // A head alone: nothing of it is unpacked.
    let mut bomb = png(1, 1, ExtendedColorType::L8, &[0]);
    bomb[16..24].copy_from_slice(&[0, 0, 0x69, 0x78, 0, 0, 0x69, 0x78]);
    let crc = crc32(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.to_be_bytes());
    let text = decoded(&bomb).expect_err("729 million pixels");
    assert!(text.contains("27000 x 27000"), "{text}");
}

/// PNG's checksum of a chunk.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn centre_crop_follows_torchvision() {
    // Resize(256) of 500 x 375 gives 341 x 256; CenterCrop(224) starts at (round(58.5), 16) = (58, 16).
    let part = CropBox::centre(500, 375, 224, 0.875);
    let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
    assert!(close(part.left, 58.0 * 500.0 / 341.0), "{part:?}");
    assert!(close(part.top, 16.0 * 375.0 / 256.0), "{part:?}");
    assert!(close(part.width, 224.0 * 500.0 / 341.0), "{part:?}");
    assert!(close(part.height, 224.0 * 375.0 / 256.0), "{part:?}");
}

#[test]
fn every_part_lies_inside_the_picture() {
    let mut rng = CounterRng::new(&[1]);
    let config = crate::RandomResizedCrop::default();
    for (width, height) in [(1, 1), (1, 10_000), (10_000, 1), (72, 72), (37, 101), (3, 2)] {
        let parts = (0..200)
            .map(|_| CropBox::random(width, height, &config, &mut rng))
            .chain([1, 7, 112, 224].map(|size| CropBox::centre(width, height, size, 0.875)));
        for part in parts {
            assert!(part.left >= 0.0 && part.top >= 0.0, "{part:?}");
            assert!(part.width > 0.0 && part.height > 0.0, "{part:?}");
            assert!(part.left + part.width <= f64::from(width) + 1e-9, "{part:?}");
            assert!(part.top + part.height <= f64::from(height) + 1e-9, "{part:?}");
        }
        let picture = Picture { width, height, pixels: vec![99; (width * height * 3) as usize] };
        let transform = plain(ImageConfig { image_size: Some(16), ..ImageConfig::default() });
        let pixels = transform
            .pixels(&picture, transform.part(picture.width, picture.height, None), None)
            .expect("resizes");
        assert_eq!(pixels, vec![99; 16 * 16 * 3]);
    }
}

#[test]
fn resizing_by_two_averages_as_a_triangle_filter_does() {
    // Antialiased bilinear from 4 to 2: weights 1/8, 3/8, 3/8, 1/8, cut off and rescaled at the border: 3/7,
    // 3/7, 1/7.
    let levels = [0u8, 70, 140, 210];
    let picture = Picture { width: 4, height: 4, pixels: (0..16).flat_map(|i| [levels[i % 4]; 3]).collect() };
    let transform =
        plain(ImageConfig { image_size: Some(2), resize: ResizeMode::Squash, ..ImageConfig::default() });
    let pixels = transform
        .pixels(&picture, transform.part(picture.width, picture.height, None), None)
        .expect("resizes");
    assert_eq!(pixels[0], 50); // (3*0 + 3*70 + 140) / 7
    assert_eq!(pixels[3], 160); // (70 + 3*140 + 3*210) / 7
}

#[test]
fn pixels_are_normalised_into_planes() {
    let transform = plain(ImageConfig { image_size: Some(1), ..ImageConfig::default() });
    let mut planes = [0_u8; 12];
    transform.normalise(&[255, 0, 51], &mut planes);
    let expected = [(1.0 - 0.485) / 0.229, (0.0 - 0.456) / 0.224, (0.2 - 0.406) / 0.225];
    for (found, expected) in planes.as_chunks::<4>().0.iter().zip(expected) {
        assert!((f32::from_ne_bytes(*found) - expected as f32).abs() < 1e-6, "{planes:?}");
    }
}

#[test]
fn flips_mirror_rows() {
    let mut row = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    geometry::mirror(&mut row);
    assert_eq!(row, [7, 8, 9, 4, 5, 6, 1, 2, 3]);
}

#[test]
fn the_model_says_what_the_config_leaves_open() {
    let defaults = InputDefaults {
        image_size: Some(112),
        mean: Some([0.5; 3]),
        std: Some([0.5; 3]),
        ..InputDefaults::default()
    };
    let transform = Transform::new(&ImageConfig::default(), &defaults);
    assert_eq!(transform.size(), 112);
    assert_eq!(transform.levels[0][255], 1.0);
    let config = ImageConfig { image_size: Some(96), ..ImageConfig::default() };
    assert_eq!(Transform::new(&config, &defaults).size(), 96);
}

#[test]
fn jpeg_files_at_a_part_of_their_size_are_pillows_drafts() {
    let jpeg = include_bytes!("fixtures/draft.jpg");
    let recorded: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/draft.json")).expect("JSON");
    for by in [2, 4] {
        let expected = &recorded["drafts"][by.to_string()];
        let picture = decode_reduced(jpeg, u64::MAX >> 8, &mut |_, _| by).expect("decodes");
        assert_eq!(serde_json::json!([picture.width, picture.height]), expected["size"], "by {by}");
        let size =
            fir::images::ImageRef::new(picture.width, picture.height, &picture.pixels, fir::PixelType::U8x3);
        let mut fields = fir::images::Image::new(6, 4, fir::PixelType::U8x3);
        let options = fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::Box));
        fir::Resizer::new().resize(&size.expect("fits"), &mut fields, &options).expect("resizes");
        let found = fields.buffer().iter().map(|level| i64::from(*level));
        let levels = expected["fields"].as_array().expect("a list").iter().flat_map(|field| field.as_array());
        let levels = levels.flatten().map(|level| level.as_i64().expect("a level"));
        let furthest = found.zip(levels).map(|(found, expected)| (found - expected).abs()).max();
        assert!(furthest.is_some_and(|furthest| furthest <= 3), "by {by}: {furthest:?} levels apart");
    }
}

#[test]
fn drafts_are_close_to_whole_pictures_and_leave_the_draws_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    for class in ["a", "b"] {
        std::fs::create_dir(folder.path().join(class)).expect("a folder");
        std::fs::write(folder.path().join(class).join("0.jpg"), include_bytes!("fixtures/draft.jpg"))
            .expect("JPEG");
    }
    crate::testing::write_png(&folder.path().join("b/1.png"), 64, [200, 100, 50]);
    for (more, is_cut) in [
        ("", true),
        ("resize = \"squash\"", true),
        (
            "augment = { horizontal_flip = 0.5, \
        random_resized_crop = { scale = [0.3, 0.9] } }",
            false,
        ),
    ] {
        let open = |scale: &str| {
            let lines = format!(
                "kind = \"image-folder\"\npath = \"{{dir}}\"\nimage_size = 28\nshuffle = false\n\
                 jpeg_scale = \"{scale}\"\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n{more}"
            );
            crate::testing::open(folder.path(), &lines).expect("opens")
        };
        let (full, draft) = (open("full"), open("draft"));
        for epoch in 0..3 {
            let of =
                |data: &crate::DataModule| data.batch(crate::Split::Train, epoch, &[0, 1, 2]).expect("reads");
            let (full, once, again) = (of(&full), of(&draft), of(&draft));
            assert_eq!(once.inputs, again.inputs, "the second time");
            let apart = (&full.inputs[0].1 - &once.inputs[0].1).abs();
            let (mean, png) =
                (apart.mean(tch::Kind::Float).double_value(&[]), apart.get(2).max().double_value(&[]));
            assert!(mean < 0.02, "{more}, epoch {epoch}: {mean} apart");
            assert_eq!(png, 0.0, "a PNG file is what it was");
            assert!(mean > 0.0 || !is_cut, "{more}: nothing was reduced");
        }
    }
}
