use super::*;
use image::{ExtendedColorType, ImageEncoder, codecs};

fn png(width: u32, height: u32, color: ExtendedColorType, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    codecs::png::PngEncoder::new(&mut bytes).write_image(data, width, height, color).expect("encodes");
    bytes
}

fn plain(config: ImageConfig) -> Transform {
    Transform::new(&config, &InputDefaults::default())
}

#[test]
fn transparency_is_laid_over_white() {
    let data = [255, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 128, 10, 20, 30, 51];
    let picture = decode(&png(4, 1, ExtendedColorType::Rgba8, &data)).expect("decodes");
    // 255 * (1 - 128/255) = 127; 10 * 0.2 + 255 * 0.8 = 206 and so on.
    assert_eq!(picture.pixels, [255, 0, 0, 255, 255, 255, 127, 127, 127, 206, 208, 210]);
}

#[test]
fn grey_and_16_bit_pictures_become_rgb() {
    let picture = decode(&png(2, 1, ExtendedColorType::L8, &[7, 250])).expect("decodes");
    assert_eq!(picture.pixels, [7, 7, 7, 250, 250, 250]);
    let data: Vec<u8> = [0u16, 65535, 257 * 100].iter().flat_map(|v| v.to_ne_bytes()).collect();
    let picture = decode(&png(1, 1, ExtendedColorType::Rgb16, &data)).expect("decodes");
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
    let picture = decode(&bytes).expect("decodes");
    assert_eq!((picture.width, picture.height), (1, 2));
    assert_eq!(picture.pixels, [0, 0, 0, 255, 255, 255]);
}

#[test]
fn what_is_no_picture_is_said_in_words() {
    assert!(decode(b"").expect_err("empty").contains("0 bytes"));
    assert!(decode(b"hello").expect_err("text").contains("none of the formats"));
    let mut bytes = png(8, 8, ExtendedColorType::L8, &[9; 64]);
    bytes.truncate(bytes.len() / 2);
    decode(&bytes).expect_err("truncated");
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
    let config = crate::data::RandomResizedCrop::default();
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
        let pixels = transform.pixels(&picture, None).expect("resizes");
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
    let pixels = transform.pixels(&picture, None).expect("resizes");
    assert_eq!(pixels[0], 50); // (3*0 + 3*70 + 140) / 7
    assert_eq!(pixels[3], 160); // (70 + 3*140 + 3*210) / 7
}

#[test]
fn pixels_are_normalised_into_planes() {
    let transform = plain(ImageConfig { image_size: Some(1), ..ImageConfig::default() });
    let mut planes = [0.0; 3];
    transform.normalise(&[255, 0, 51], &mut planes);
    let expected = [(1.0 - 0.485) / 0.229, (0.0 - 0.456) / 0.224, (0.2 - 0.406) / 0.225];
    for (found, expected) in planes.iter().zip(expected) {
        assert!((found - expected as f32).abs() < 1e-6, "{planes:?}");
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
