"""Make prompts.json: what each kind of prompt stands for, from given parameters, by plain loops over its formula.

Run: python tests/golden/make_prompts.py
It imports nothing of softbridge, so that the numbers are a second opinion.
"""

import json
import math
import random
from pathlib import Path

P, H, R = 3, 4, 2


def matrix(draw, rows, columns):
    """Return rounded numbers, which JSON keeps exactly."""
    return [[round(draw.gauss(0.0, 1.0), 3) for _ in range(columns)] for _ in range(rows)]


def product(a, b):
    """Return the matrix product."""
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in zip(*b, strict=True)] for row in a]


def plus(a, b):
    """Return the sum."""
    return [[x + y for x, y in zip(u, v, strict=True)] for u, v in zip(a, b, strict=True)]


def relu(a):
    """Return the positive part."""
    return [[max(x, 0.0) for x in row] for row in a]


def norm(row):
    """Return a row with mean 0 and variance 1, as LayerNorm does."""
    mean = sum(row) / len(row)
    variance = sum((x - mean) ** 2 for x in row) / len(row)
    return [(x - mean) / math.sqrt(variance + 1e-5) for x in row]


def linear(rows, weight, bias):
    """Return W x + b of every row x."""
    return [
        [sum(w * x for w, x in zip(u, row, strict=True)) + b for u, b in zip(weight, bias, strict=True)] for row in rows
    ]


def sigmoid(x):
    """Return the logistic function."""
    return 1 / (1 + math.exp(-x))


def read_on(rows, given, layer):
    """Return an LSTM's states over the rows, from zero; its gates stand in the order input, forget, cell, output."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    inward, around, bias_in, bias_round = (given[f"lstm.{name}_{layer}"] for name in names)
    size = len(around[0])
    state, cell, states = [0.0] * size, [0.0] * size, []
    for row in rows:
        pairs = zip(linear([row], inward, bias_in)[0], linear([state], around, bias_round)[0], strict=True)
        gates = [x + y for x, y in pairs]
        enter, keep, new, show = (gates[k * size : (k + 1) * size] for k in range(4))
        cell = [sigmoid(keep[j]) * cell[j] + sigmoid(enter[j]) * math.tanh(new[j]) for j in range(size)]
        state = [sigmoid(show[j]) * math.tanh(cell[j]) for j in range(size)]
        states.append(state)
    return states


def both_ways(rows, given, layer):
    """Return, for every row, the states of the LSTM that reads from the left and of the one from the right."""
    left = read_on(rows, given, layer)
    right = read_on(rows[::-1], given, f"{layer}_reverse")[::-1]
    return [u + v for u, v in zip(left, right, strict=True)]


def encoder(draw, recurrent):
    """Return P-tuning's parameters by name, R wide inside, and the tokens they make."""
    read = 2 * R if recurrent else H
    given = {"inputs": matrix(draw, P, H), "gain": 0.5}
    given |= {"mlp.0.weight": matrix(draw, R, read), "mlp.0.bias": matrix(draw, 1, R)[0]}
    given |= {"mlp.2.weight": matrix(draw, H, R), "mlp.2.bias": matrix(draw, 1, H)[0]}
    rows = given["inputs"]
    for layer, width in (("l0", H), ("l1", 2 * R)) if recurrent else ():
        for way in (layer, f"{layer}_reverse"):
            given |= {
                f"lstm.weight_ih_{way}": matrix(draw, 4 * R, width),
                f"lstm.bias_ih_{way}": matrix(draw, 1, 4 * R)[0],
            }
            given |= {f"lstm.weight_hh_{way}": matrix(draw, 4 * R, R), f"lstm.bias_hh_{way}": matrix(draw, 1, 4 * R)[0]}
        rows = both_ways(rows, given, layer)
    inner = relu(linear(rows, given["mlp.0.weight"], given["mlp.0.bias"]))
    made = linear(inner, given["mlp.2.weight"], given["mlp.2.bias"])
    return {"given": given, "tokens": [[given["gain"] * x for x in row] for row in made]}


def residuals(draw, tokens, down, up):
    """Return the residual prompt with one network, with LayerNorm on it, and with a network for each token."""
    network = product(relu(product(tokens, down)), up)
    gain, bias = matrix(draw, 1, H)[0], matrix(draw, 1, H)[0]
    normed = [[x * g + b for x, g, b in zip(norm(row), gain, bias, strict=True)] for row in network]
    downs, ups = [matrix(draw, H, R) for _ in range(P)], [matrix(draw, R, H) for _ in range(P)]
    own = [product(relu(product([tokens[i]], downs[i])), ups[i])[0] for i in range(P)]
    given = {"tokens": tokens, "down": [down], "up": [up]}
    return {
        "residual": {"given": given, "tokens": plus(tokens, network)},
        "residual_normed": {"given": given | {"norm.weight": gain, "norm.bias": bias}, "tokens": plus(tokens, normed)},
        "residual_own": {"given": {"tokens": tokens, "down": downs, "up": ups}, "tokens": plus(tokens, own)},
    }


def main():
    """Write the cases beside this script."""
    draw = random.Random(20230503)
    tokens, down, up = matrix(draw, P, H), matrix(draw, H, R), matrix(draw, R, H)
    left, right = matrix(draw, P, R), matrix(draw, R, H)
    rows, columns = matrix(draw, P, R), matrix(draw, R, H)
    multiplied = zip(tokens, product(rows, columns), strict=True)
    weights, basis = matrix(draw, P, 5), matrix(draw, 5, H)
    places, width = matrix(draw, 6, R), matrix(draw, R, H)
    cases = {
        **residuals(draw, tokens, down, up),
        "p_tuning": encoder(draw, recurrent=False),
        "p_tuning_lstm": encoder(draw, recurrent=True),
        "low_rank": {"given": {"left": left, "right": right}, "tokens": product(left, right)},
        "decomposed": {
            "given": {"shared": tokens, "rows": rows, "columns": columns},
            "tokens": [[x * w for x, w in zip(*pair, strict=True)] for pair in multiplied],
        },
        "superposition": {"given": {"weights": weights, "basis": basis}, "tokens": product(weights, basis)},
        "dept": {
            "given": {"tokens": tokens, "left": places, "right": width},
            "offset": [[x / math.sqrt(R) for x in row] for row in product(places, width)],
        },
    }
    Path(__file__).with_name("prompts.json").write_text(json.dumps(cases) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
