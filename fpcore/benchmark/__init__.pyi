from .timing import (
    Benchmark,
    beside_the_spec,
    machine,
    main,
    measure,
    memory,
    render,
    run,
    stages,
    write,
)

__all__ = [
    "Benchmark",
    "beside_the_spec",
    "machine",
    "main",
    "measure",
    "memory",
    "render",
    "run",
    "stages",
    "write",
]
