//! A paper as PDF, A4, with the signs it needs of the font inside, so that its text can be searched and copied.

use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule};
use krilla::surface::Surface;
use krilla::text::{Font, TextDirection};

use super::error::StatementError;
use super::font;
use super::layout::{self, HEIGHT, Mark, RULE, WIDTH};
use super::paper::Paper;

const HAIR: f32 = 0.4;

/// The file.
///
/// # Errors
/// [`StatementError::NotInFont`]; [`StatementError::Page`].
pub(super) fn write(paper: &Paper) -> Result<Vec<u8>, StatementError> {
    let font = font::font()?;
    let size = PageSettings::from_wh(WIDTH, HEIGHT).ok_or(StatementError::Page("no size"))?;
    let mut document = Document::new();
    let metadata = Metadata::new().title(paper.title.clone()).language("zh-CN".to_owned());
    document.set_metadata(metadata.creator("linli".to_owned()));
    for marks in layout::pages(paper)? {
        let mut page = document.start_page_with(size.clone());
        let mut surface = page.surface();
        for mark in &marks {
            draw(&mut surface, &font, mark);
        }
        surface.finish();
        page.finish();
    }
    document.finish().map_err(|_| StatementError::Page("the pages could not be put together"))
}

fn draw(surface: &mut Surface<'_>, font: &Font, mark: &Mark) {
    match mark {
        Mark::Text { x, y, size, text } => {
            surface.set_fill(Some(ink(0)));
            surface.draw_text(Point::from_xy(*x, *y), font.clone(), *size, text, false, TextDirection::LeftToRight);
        }
        Mark::Ground { x, y, width, height } => fill(surface, 232, Rect::from_xywh(*x, *y, *width, *height)),
        Mark::Rule { y } => fill(surface, 176, Rect::from_xywh(RULE.0, *y, RULE.1 - RULE.0, HAIR)),
    }
}

fn fill(surface: &mut Surface<'_>, grey: u8, rect: Option<Rect>) {
    let mut path = PathBuilder::new();
    if let Some(rect) = rect {
        path.push_rect(rect);
    }
    if let Some(path) = path.finish() {
        surface.set_fill(Some(ink(grey)));
        surface.draw_path(&path);
    }
}

fn ink(grey: u8) -> Fill {
    Fill { paint: rgb::Color::new(grey, grey, grey).into(), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }
}
