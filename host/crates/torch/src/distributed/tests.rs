use std::net::TcpListener;
use std::thread;

use tch::{Kind, Tensor};

use super::*;

/// What each of so many processes, here threads, comes to.
fn in_each<T: Send>(size: usize, body: impl Fn(usize, &Group) -> T + Sync) -> Vec<T> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).unwrap().port();
    let timeout = Duration::from_secs(60);
    thread::scope(|scope| {
        let of_rank = |rank: usize| {
            let body = &body;
            scope.spawn(move || {
                let host = "127.0.0.1".to_owned();
                let address = Address { host, port, hosts: rank == 0, processes: size };
                let meeting = Meeting::open(&address, "test", timeout).unwrap();
                let group = Group::join(&meeting, rank, size, timeout, true).unwrap();
                let result = body(rank, &group);
                // The host of the store is the last to leave.
                group.all_gather(&[1]).unwrap();
                result
            })
        };
        let threads: Vec<_> = (0..size).map(of_rank).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Four parameters, and the loss of a rank, which grows with each of them in order.
fn parameters() -> Vec<Tensor> {
    (1..=4).map(|n| Tensor::ones([n], (Kind::Float, tch::Device::Cpu)).set_requires_grad(true)).collect()
}

fn loss(rank: usize, parameters: &[Tensor]) -> Tensor {
    let term = |(n, parameter): (i32, &Tensor)| (parameter * f64::from(n)).tanh().sum(Kind::Float);
    let terms = (1..).zip(parameters).map(term);
    terms.reduce(|sum, term| (sum * 1.1) + term).unwrap() * (rank + 1) as f64
}

fn gradients(parameters: &[Tensor]) -> Vec<Option<Vec<f32>>> {
    let of = |parameter: &Tensor| parameter.grad().defined().then(|| parameter.grad().try_into().unwrap());
    parameters.iter().map(of).collect()
}

/// Room for two of the parameters.
const BYTES: usize = 16;

#[test]
fn buckets_are_sent_during_the_backward_pass_with_the_sums_of_those_sent_after_it() {
    for size in [2, 3] {
        let found = in_each(size, |rank, group| {
            [true, false].map(|early| {
                let parameters = parameters();
                let list: TensorList = parameters.iter().collect();
                if early {
                    group.begin_sums(&list, BYTES, Wire::Exact).unwrap();
                }
                loss(rank, &parameters).backward();
                let sent = group.sum_gradients(&list, BYTES, Wire::Exact).unwrap();
                (sent, gradients(&parameters))
            })
        });
        for [(during, early), (after, late)] in &found {
            assert_eq!((during.buckets, after.early), (3, 0));
            assert_eq!(during.early, 2, "all but the one that comes last");
            assert_eq!((early, early), (late, &found[0][0].1), "the same bits, everywhere");
        }
        let one = parameters();
        loss(0, &one).backward();
        let whole: f64 = (1..=size).map(|share| share as f64).sum();
        for (found, one) in found[0][0].1.iter().zip(gradients(&one)) {
            for (found, one) in found.iter().flatten().zip(one.iter().flatten()) {
                assert!((f64::from(*found) - f64::from(*one) * whole).abs() < 1e-6, "{found} {one}");
            }
        }
    }
}

#[test]
fn a_gradient_that_some_lack_is_zero_there_and_one_that_all_lack_is_nowhere() {
    let found = in_each(2, |rank, group| {
        let parameters = parameters();
        let list: TensorList = parameters.iter().collect();
        group.begin_sums(&list, BYTES, Wire::Exact).unwrap();
        // Rank 1 has no sample.
        if rank == 0 {
            loss(0, &parameters[..3]).backward();
        }
        let sent = group.sum_gradients(&list, BYTES, Wire::Exact).unwrap();
        (sent, gradients(&parameters))
    });
    let one = parameters();
    loss(0, &one[..3]).backward();
    for (sent, found) in found {
        // The one that nobody has is in the bucket that goes first, and holds up the others.
        assert_eq!(sent.early, 0);
        assert_eq!(found, gradients(&one));
    }
}

#[test]
fn a_gradient_that_grows_after_it_was_sent_is_sent_again() {
    let found = in_each(2, |rank, group| {
        let parameters = parameters();
        let list: TensorList = parameters.iter().collect();
        group.begin_sums(&list, BYTES, Wire::Exact).unwrap();
        loss(rank, &parameters).backward();
        // One more pass at one of them, as of a model that computes parts of itself again.
        if rank == 1 {
            loss(rank, &parameters).backward();
        }
        group.sum_gradients(&list, BYTES, Wire::Exact).unwrap();
        gradients(&parameters)
    });
    let one = parameters();
    loss(0, &one).backward();
    for (found, one) in found[0].iter().zip(gradients(&one)) {
        for (found, one) in found.iter().flatten().zip(one.iter().flatten()) {
            assert!((found - one * 5.0).abs() < 1e-5, "{found} {one}");
        }
    }
    assert_eq!(found[0], found[1]);
}

#[test]
fn other_parameters_and_parameters_that_freeze_are_summed_anew() {
    let found = in_each(2, |rank, group| {
        let parameters = parameters();
        let mut early = Vec::new();
        for trains in [2..4, 0..4, 1..3] {
            let mut own = Vec::new();
            for (index, parameter) in parameters.iter().enumerate() {
                let parameter = parameter.set_requires_grad(trains.contains(&index));
                parameter.grad().defined().then(|| parameter.grad().zero_());
                own.push(parameter);
            }
            let list: TensorList = own[trains.clone()].iter().collect();
            group.begin_sums(&list, BYTES, Wire::Exact).unwrap();
            loss(rank, &own).backward();
            let sent = group.sum_gradients(&list, BYTES, Wire::Exact).unwrap();
            early.push((sent.buckets, sent.early));
        }
        early
    });
    assert_eq!(found, vec![vec![(2, 1), (3, 2), (2, 1)]; 2]);
}
