package org.dpo4j.jinja;

/**
 * Python's arithmetic: ints stay ints, division rounds down, a remainder has the divisor's sign.
 */
final class Arithmetic {
  private Arithmetic() {}

  static Value binary(String operator, Value.Num left, Value.Num right) {
    boolean reals = left instanceof Value.Real || right instanceof Value.Real;
    boolean division = operator.equals("/") || operator.equals("//") || operator.equals("%");
    if (division && right.real() == 0) {
      throw new TemplateException("division by zero");
    } else if (operator.equals("/")) {
      return new Value.Real(left.real() / right.real());
    } else if (operator.equals("**")) {
      return power(left, right, reals);
    }
    return reals
        ? new Value.Real(real(operator, left.real(), right.real()))
        : integer(operator, Operators.integer(left), Operators.integer(right));
  }

  private static double real(String operator, double left, double right) {
    return switch (operator) {
      case "+" -> left + right;
      case "-" -> left - right;
      case "*" -> left * right;
      case "//" -> Math.floor(left / right);
      default -> {
        double rest = left % right;
        yield rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest;
      }
    };
  }

  private static Value integer(String operator, long left, long right) {
    try {
      return Value.of(
          switch (operator) {
            case "+" -> Math.addExact(left, right);
            case "-" -> Math.subtractExact(left, right);
            case "*" -> Math.multiplyExact(left, right);
            case "//" -> Math.floorDiv(left, right);
            default -> Math.floorMod(left, right);
          });
    } catch (ArithmeticException e) {
      throw tooLarge();
    }
  }

  private static Value power(Value.Num base, Value.Num exponent, boolean reals) {
    if (reals || exponent.real() < 0) {
      return new Value.Real(Math.pow(base.real(), exponent.real()));
    }
    try {
      long power =
          java.math.BigInteger.valueOf(Operators.integer(base))
              .pow((int) Math.min(64, Operators.integer(exponent)))
              .longValueExact();
      if (exponent.real() > 64 && Math.abs(power) > 1) {
        throw tooLarge();
      }
      boolean flips = power == -1 || Operators.integer(base) == -1;
      return Value.of(flips ? (Operators.integer(exponent) % 2 == 0 ? 1L : -1L) : power);
    } catch (ArithmeticException e) {
      throw tooLarge();
    }
  }

  private static TemplateException tooLarge() {
    return new TemplateException("an integer must fit into 64 bits but the result does not");
  }
}
