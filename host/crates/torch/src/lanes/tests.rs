use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;
use tch::Kind;

/// A device that does nothing by itself: what is asked of it is written down, and it has passed the marks
/// that a test says it has.
#[derive(Clone, Default)]
struct Fake {
    asked: Rc<RefCell<Vec<String>>>,
    marks: Rc<Cell<usize>>,
    passed: Rc<Cell<usize>>,
}

impl Fake {
    fn note(&self, text: String) {
        self.asked.borrow_mut().push(text);
    }

    fn mark(&self, lane: &str) -> Result<usize> {
        self.marks.set(self.marks.get() + 1);
        self.note(format!("mark {} behind {lane}", self.marks.get()));
        Ok(self.marks.get())
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.borrow_mut())
    }
}

impl Lanes for Fake {
    type Mark = usize;

    fn pinned(&self, tensor: &Tensor) -> Result<Tensor> {
        self.note(format!("pin {}", tensor.numel()));
        Ok(tensor.shallow_clone())
    }
    fn copy(&self, pinned: &Tensor) -> Result<Tensor> {
        self.note(format!("copy {}", pinned.numel()));
        Ok(pinned.f_detach_copy()?)
    }
    fn mark_copies(&self) -> Result<usize> {
        self.mark("copies")
    }
    fn mark_computing(&self) -> Result<usize> {
        self.mark("computing")
    }
    fn compute_behind(&self, mark: &usize) -> Result<()> {
        self.note(format!("compute behind {mark}"));
        Ok(())
    }
    fn computes_with(&self, copied: &Tensor) -> Result<()> {
        self.note(format!("computes with {}", copied.numel()));
        Ok(())
    }
    fn is_passed(&self, mark: &usize) -> Result<bool> {
        Ok(*mark <= self.passed.get())
    }
    fn wait(&self, mark: &usize) -> Result<()> {
        self.note(format!("wait for {mark}"));
        self.passed.set(*mark);
        Ok(())
    }
}

fn floats(count: i64) -> Tensor {
    Tensor::arange(count, (Kind::Float, Device::Cpu))
}

#[test]
fn what_is_computed_begins_behind_the_copies_of_its_batch() {
    let fake = Fake::default();
    let mut conveyor = Conveyor::new(fake.clone(), 1 << 20);
    let (x, y) = (floats(8), floats(2));
    let brought = conveyor.bring(&[&x, &y]).unwrap();
    assert_eq!(brought, [x.shallow_clone(), y.shallow_clone()]);
    let first = [
        "pin 8",
        "pin 2",
        "copy 8",
        "copy 2",
        "mark 1 behind copies",
        "compute behind 1",
        "computes with 8",
        "computes with 2",
    ];
    assert_eq!(fake.taken(), first);
    conveyor.bring(&[&x]).unwrap();
    let second = ["mark 2 behind computing", "pin 8", "copy 8", "mark 3 behind copies", "compute behind 3"];
    assert_eq!(fake.taken()[..5], second, "the first batch's last use is marked before the next one comes");
    assert_eq!(conveyor.waits(), 0);
}

#[test]
fn the_host_waits_for_room_alone_and_leaves_the_device_a_batch() {
    let fake = Fake::default();
    // Room for three batches of 40 bytes.
    let mut conveyor = Conveyor::new(fake.clone(), 120);
    let x = floats(10);
    let waits = |fake: &Fake| -> Vec<String> {
        fake.taken().into_iter().filter(|asked| asked.starts_with("wait")).collect()
    };
    for _ in 0..3 {
        conveyor.bring(&[&x]).unwrap();
    }
    assert!(waits(&fake).is_empty());
    // Marks 2 and 4 are behind the first and the second batch, 6 behind the third.
    conveyor.bring(&[&x]).unwrap();
    assert_eq!(waits(&fake), ["wait for 2"], "the oldest batch makes room");
    fake.passed.set(6);
    conveyor.bring(&[&x]).unwrap();
    assert!(waits(&fake).is_empty(), "what is done with is not waited for");
    assert_eq!(conveyor.waits(), 1);
}

#[test]
fn a_batch_larger_than_the_limit_still_leaves_one_to_compute_with() {
    let fake = Fake::default();
    let mut conveyor = Conveyor::new(fake.clone(), 1);
    for _ in 0..4 {
        conveyor.bring(&[&floats(100)]).unwrap();
    }
    let waits = fake.taken().into_iter().filter(|asked| asked.starts_with("wait")).count();
    assert_eq!(waits, 2, "two batches are there at a time: one in use, one that comes");
}

#[test]
fn a_cpu_has_no_lanes() {
    assert!(matches!(GpuLanes::new(Device::Cpu), Err(TorchError::Device { .. })));
}
