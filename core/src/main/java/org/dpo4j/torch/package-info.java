/**
 * The floor under everything that uses tensors: starting libtorch with the right process
 * environment, scopes that free native memory, tensors from and to Java arrays and bytes, and
 * checks of shape and type before native code sees a value; the {@link org.dpo4j.torch.WorkerPool}
 * of threads that share a pass; and operators that the binding has no method for, called by name
 * ({@link org.dpo4j.torch.OneDnn}, {@link org.dpo4j.torch.Softmax}, {@link
 * org.dpo4j.torch.FusedAdamW}).
 *
 * <p>This is the only package that touches JavaCPP's pointers and scopes. Nothing here knows about
 * models, losses or files. Start with {@link org.dpo4j.torch.TensorScope}.
 */
@Internal
@NullMarked
package org.dpo4j.torch;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
