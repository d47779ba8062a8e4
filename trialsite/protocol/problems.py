from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mark:
    """A place in a file; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing wrong with a protocol file: where, and what to do about it."""

    line: int
    column: int
    path: str
    message: str

    @classmethod
    def at(cls, mark: Mark, path: str, message: str) -> "Problem":
        return cls(line=mark.line, column=mark.column, path=path, message=message)


class ProtocolError(Exception):
    """A protocol file that cannot be used, with everything found wrong in it."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        self.file = file
        self.problems = problems
        super().__init__(file, problems)

    def __str__(self) -> str:
        return "\n".join(
            f"{self.file}:{problem.line}:{problem.column}: "
            + (f"{problem.path}: " if problem.path else "")
            + problem.message
            for problem in self.problems
        )
