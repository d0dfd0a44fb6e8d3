/**
 * The layer over libtorch and its binding: the process environment, scopes that free native memory,
 * conversions between tensors and Java arrays, checks of shape and type, the {@link
 * org.dpo4j.torch.WorkerPool} that computes passes, and operators without a method in the binding,
 * called by name ({@link org.dpo4j.torch.OneDnn}, {@link org.dpo4j.torch.Softmax}, {@link
 * org.dpo4j.torch.FusedAdamW}).
 *
 * <p>This is the only package that touches JavaCPP's pointers and scopes. It does not depend on
 * models, losses or files. Start with {@link org.dpo4j.torch.TensorScope}.
 */
@Internal
@NullMarked
package org.dpo4j.torch;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
