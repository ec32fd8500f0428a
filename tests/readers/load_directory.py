#!/usr/bin/env python3
"""Loads what `host export --hf` wrote with transformers' from_pretrained, and compares what it says with `host predict`.

    python3 tests/readers/load_directory.py DIR predictions.jsonl texts TEXT...
    python3 tests/readers/load_directory.py DIR predictions.jsonl pictures PICTURE...

The predictions, made with `--all`, are in the order of the texts or pictures. Nothing of the directory may be missing in the model or the
other way round, and probabilities agree to 1e-5, of pictures that are resized to 0.02: filters round otherwise.
"""

import json
import sys


def main():
    folder, predictions, kind, *samples = sys.argv[1:]
    import torch
    import transformers

    if kind == "texts":
        model_class, prepare = transformers.AutoModelForSequenceClassification, transformers.AutoTokenizer.from_pretrained(folder)
    else:
        from PIL import Image

        processor = transformers.AutoImageProcessor.from_pretrained(folder)
        model_class, prepare = transformers.AutoModelForImageClassification, lambda file, **more: processor(
            Image.open(file), **more
        )
    model, found = model_class.from_pretrained(folder, output_loading_info=True)
    odd = {key: value for key, value in found.items() if value}
    if odd:
        sys.exit(f"{folder}: {odd}")
    with open(predictions) as file:
        rows = [json.loads(line) for line in file]
    if len(rows) != len(samples):
        sys.exit(f"{predictions}: {len(rows)} predictions of {len(samples)} samples")
    tolerance = 1e-5 if kind == "texts" else 0.02
    for sample, row in zip(samples, rows):
        with torch.no_grad():
            probabilities = model.eval()(**prepare(sample, return_tensors="pt")).logits.softmax(-1)[0].tolist()
        for place, probability in enumerate(probabilities):
            name = model.config.id2label[place]
            if abs(row["probabilities"][name] - probability) > tolerance:
                sys.exit(f"{sample}, {name}: {row['probabilities'][name]}, transformers has {probability}")
    print(f"{type(model).__name__}: {len(samples)} samples as transformers has them")


if __name__ == "__main__":
    main()
